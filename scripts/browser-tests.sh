#!/usr/bin/env bash
# browser-tests.sh FOLDER: runs the test files of a folder two at a time, the largest first. Tests that hold something to a time, whose
# names begin with "timed: ", run afterwards, alone. The output of a file is shown when it has ended.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/step.sh

one_file() {
  local log status=0
  log=$(mktemp)
  # Node.js also compares the pattern with the name of the file's root, whose match would count for every test.
  step "$1" node --test --test-name-pattern='^(?!timed: |<root>)' "$1" >"$log" 2>&1 || status=$?
  cat "$log"
  rm "$log"
  return "$status"
}
export -f one_file step

ls -S "$1"/*.test.js | xargs -P 2 -I {} bash -c 'one_file {}'

timed=$(grep -l '^test("timed: ' "$1"/*.test.js || true)
if [ -n "$timed" ]; then
  # Paths without spaces, one a word.
  # shellcheck disable=SC2086
  step "$1, timed tests" node --test --test-concurrency=1 --test-name-pattern='^timed: ' $timed
fi
