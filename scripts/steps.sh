#!/usr/bin/env bash
# steps.sh COMMAND...: runs a command and lists the seconds of its steps (step.sh) at the end, whether it succeeds or fails.
set -euo pipefail

STEPS=$(mktemp)
export STEPS
trap 'rm -f "$STEPS"' EXIT

status=0
"$@" || status=$?
printf '\n%7s %7s  %s\n' seconds CPU step
while read -r real cpu failed name; do
  [ "$failed" = 0 ] || name="$name (failed)"
  printf '%7d %7d  %s\n' "$real" "$cpu" "$name"
done <"$STEPS"
awk -v all="$SECONDS" '{ cpu += $2 } END { printf "%7d %7d  all; steps of two lanes overlap\n", all, cpu }' "$STEPS"
exit "$status"
