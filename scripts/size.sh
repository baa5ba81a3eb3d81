#!/usr/bin/env bash
# What a visitor downloads: the built page's wasm and scripts, raw and compressed.
set -euo pipefail
cd "$(dirname "$0")/../dist"

for file in *.wasm *.js; do
  printf '    %-24s %9d bytes, %9d with gzip\n' "$file" "$(wc -c <"$file")" "$(gzip -9 -c "$file" | wc -c)"
done
