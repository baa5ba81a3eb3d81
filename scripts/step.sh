#!/usr/bin/env bash
# step NAME COMMAND...: says what is done and how long it took. Run it, or source it for the function.
set -euo pipefail

step() {
  local name=$1 begin=$SECONDS
  shift
  echo "==> $name"
  "$@"
  echo "    $((SECONDS - begin)) s"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then step "$@"; fi
