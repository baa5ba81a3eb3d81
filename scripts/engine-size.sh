#!/usr/bin/env bash
# engine-size.sh: writes the length of the wasm of a page that trunk has just built to where www/worker.js imports it from. Browsers do
# not report it: the length that comes with a compressed response is the compressed one.
set -euo pipefail
cd "$TRUNK_STAGING_DIR"
echo "export const ENGINE_BYTES = $(($(wc -c <infinity-web_bg.wasm)));" >engine-size.js
