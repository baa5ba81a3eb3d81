#!/usr/bin/env bash
# engine-size.sh: writes how long the wasm of a page that trunk has just built is, where www/worker.js imports it from. The browser
# cannot tell: the length that comes with a compressed answer is another one.
set -euo pipefail
cd "$TRUNK_STAGING_DIR"
echo "export const ENGINE_BYTES = $(($(wc -c <infinity-web_bg.wasm)));" >engine-size.js
