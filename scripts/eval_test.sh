#!/usr/bin/env bash
# Runs the tests that need the weights of `make eval-weights`, or reports that they were skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -f target/eval/efficientnet-lite0-57934424.pth ]; then
  cargo test --locked --quiet --lib published_weights -- --ignored
else
  echo "    SKIPPED: the published EfficientNet-Lite0 is not here; \`make eval-weights\` fetches it (17 MB)"
fi
