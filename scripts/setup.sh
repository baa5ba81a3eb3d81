#!/usr/bin/env bash
# Installs what is missing: `setup.sh page` to build and serve the page, `setup.sh tests` to run every test as well.
# A tool that is there already costs nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/step.sh

TRUNK=0.21.14
# The first that the browser driver of the tests runs on; NODE_FALLBACK is taken from npm where apt has an older one.
NODE=20
NODE_FALLBACK=22
# The command-line tool must be of the very version that the library was compiled with.
WASM_BINDGEN=$(sed -n '/^name = "wasm-bindgen"$/{n;s/.*"\(.*\)"/\1/p;}' Cargo.lock)

has() { command -v "$1" >/dev/null; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

apt_install() {
  if ! has apt-get; then
    echo "Install $* with this system's package manager and run this again." >&2
    exit 1
  fi
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Published lock files first; when a pinned version has left the registry, versions that fit its requirements.
cargo_install() { cargo install "$@" --locked --quiet || cargo install "$@" --quiet; }

has_node() { has npm && [ "$(node --version | sed 's/^v\([0-9]*\).*/\1/')" -ge "$NODE" ]; }
node_from_npm() { npm install --prefix target/node --no-save --no-audit --no-fund --loglevel=error node@$NODE_FALLBACK; }
has_vulkan() { compgen -G "/usr/share/vulkan/icd.d/*.json" >/dev/null; }
npm_fresh() { [ node_modules/.package-lock.json -nt package-lock.json ]; }
npm_packages() { npm ci --no-audit --no-fund --loglevel=error && touch node_modules/.package-lock.json; }

if ! has cargo || ! has rustup; then
  echo "Rust is missing: install it from https://rustup.rs and run this again." >&2
  exit 1
fi
rustup target list --installed | grep -qx wasm32-unknown-unknown ||
  step "Rust's wasm32 target" rustup target add wasm32-unknown-unknown
[ "$(trunk --version 2>/dev/null)" = "trunk $TRUNK" ] ||
  step "trunk $TRUNK, which builds and serves the page (unoptimised: it waits for others)" \
    cargo_install trunk --version $TRUNK --debug
[ "$(wasm-bindgen --version 2>/dev/null)" = "wasm-bindgen $WASM_BINDGEN" ] ||
  step "wasm-bindgen $WASM_BINDGEN" cargo_install wasm-bindgen-cli --version "$WASM_BINDGEN"

if [ "${1:-page}" = tests ]; then
  (cargo fmt --version && cargo clippy --version) >/dev/null 2>&1 ||
    step "rustfmt and clippy" rustup component add rustfmt clippy
  has npm || step "Node.js" apt_install nodejs npm
  has_node || step "Node.js $NODE_FALLBACK (this system has an older one)" node_from_npm
  npm_fresh || step "npm packages" npm_packages
  has_vulkan || step "Mesa's software Vulkan" apt_install mesa-vulkan-drivers
  [ -x "${CHROMIUM:-/usr/bin/chromium}" ] || step "Chromium" apt_install chromium
fi
