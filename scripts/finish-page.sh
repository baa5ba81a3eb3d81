#!/usr/bin/env bash
# finish-page.sh [FOLDER]: writes what only a built page can say of itself. Trunk runs it after every build, in its staging folder.
#
# engine-size.js   the length of the wasm, which worker.js imports: browsers do not report the decoded length of a compressed response
# sw.js            the list of all files of the page, which the service worker keeps
#
# The panels' HTML stands in index.html by now, so its files go.
set -euo pipefail
cd "${1:-${TRUNK_STAGING_DIR:?a folder, or TRUNK_STAGING_DIR}}"

echo "export const ENGINE_BYTES = $(($(wc -c <infinity-web_bg.wasm)));" >engine-size.js

find . -mindepth 2 -name "*.html" ! -path "./models/*" -delete

# Models are kept by engine/storage.js, the sprites once they were asked for; the page itself is asked for as "./".
files=$(find . -type f ! -path './models/*' ! -name sw.js ! -name index.html ! -name sprites.bin -printf '%P\n' | LC_ALL=C sort)
list=$(printf '"./"'; printf ', "%s"' $files)
grep -q '^const FILES = \[.*\];$' sw.js || { echo "sw.js has no list of files to fill" >&2; exit 1; }
sed -i "s|^const FILES = \[.*\];\$|const FILES = [$list];|" sw.js
