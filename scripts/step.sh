#!/usr/bin/env bash
# step NAME COMMAND...: says what is done and how long it took. Run it, or source it for the function. Where STEPS names a file
# (scripts/steps.sh), it also gets a line: seconds, processor seconds, exit status, name.
set -euo pipefail

step() {
  local name=$1 figures status real user system
  shift
  echo "==> $name"
  local TIMEFORMAT='%0R %0U %0S'
  # In a subshell with `set -e`, so that the time is known of a step that fails as well.
  set +e
  { figures=$( { time { (set -e; "$@") 1>&3 2>&4; }; } 2>&1 ); status=$?; } 3>&1 4>&2
  set -e
  read -r real user system <<<"$figures"
  echo "    $name: $real s"
  [ -z "${STEPS:-}" ] || printf '%d %d %d %s\n' "$real" $((user + system)) "$status" "$name" >>"$STEPS"
  return "$status"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then step "$@"; fi
