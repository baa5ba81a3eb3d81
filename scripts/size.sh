#!/usr/bin/env bash
# size.sh FOLDER: what a visitor downloads of a built page, raw and compressed; fails if the wasm is over its budget.
set -euo pipefail
cd "$(dirname "$0")/.."
cd "$1"

# Bytes of wasm with gzip.
BUDGET=4000000

shopt -s globstar
for file in *.wasm **/*.js; do
  compressed=$(gzip -9 -c "$file" | wc -c)
  printf '    %-36s %9d bytes, %9d with gzip\n' "$file" "$(wc -c <"$file")" "$compressed"
  if [[ $file == *.wasm && $compressed -gt $BUDGET ]]; then
    echo "$file is over its budget of $BUDGET bytes with gzip; see what grew (ARCHITECTURE.md, \"Size before speed\")." >&2
    exit 1
  fi
done
