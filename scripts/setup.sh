#!/usr/bin/env bash
# Installs what is missing: `setup.sh page` to build and serve the page, `setup.sh tests` to run every test as well.
# A tool that is there already costs nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/step.sh

TRUNK=0.21.14
# The command-line tool must be of the very version that the library was compiled with.
WASM_BINDGEN=$(sed -n '/^name = "wasm-bindgen"$/{n;s/.*"\(.*\)"/\1/p;}' Cargo.lock)

has() { command -v "$1" >/dev/null; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

apt_install() {
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Published lock files first; when a pinned version has left the registry, versions that fit its requirements.
cargo_install() {
  local crate=$1 version=$2
  cargo install "$crate" --version "$version" --locked --quiet ||
    cargo install "$crate" --version "$version" --quiet
}

has_vulkan() { compgen -G "/usr/share/vulkan/icd.d/lvp_icd*.json" >/dev/null; }
npm_fresh() { [ node_modules/.package-lock.json -nt package-lock.json ]; }

if ! has cargo || ! has rustup; then
  echo "Rust is missing: install it from https://rustup.rs and run this again." >&2
  exit 1
fi
rustup target list --installed | grep -qx wasm32-unknown-unknown ||
  step "Rust's wasm32 target" rustup target add wasm32-unknown-unknown
[ "$(trunk --version 2>/dev/null)" = "trunk $TRUNK" ] ||
  step "trunk $TRUNK, which builds and serves the page (about 7 minutes on 2 cores)" cargo_install trunk $TRUNK
[ "$(wasm-bindgen --version 2>/dev/null)" = "wasm-bindgen $WASM_BINDGEN" ] ||
  step "wasm-bindgen $WASM_BINDGEN (about 3 minutes on 2 cores)" cargo_install wasm-bindgen-cli "$WASM_BINDGEN"
has wasm-opt || step "wasm-opt (binaryen)" apt_install binaryen

if [ "${1:-page}" = tests ]; then
  has npm || step "Node.js" apt_install nodejs npm
  has_vulkan || step "Mesa's software Vulkan" apt_install mesa-vulkan-drivers
  [ -x "${CHROMIUM:-/usr/bin/chromium}" ] || step "Chromium" apt_install chromium
  npm_fresh || step "npm packages" npm ci --no-audit --no-fund --loglevel=error
fi
