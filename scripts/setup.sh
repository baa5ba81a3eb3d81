#!/usr/bin/env bash
# Installs what is missing of the groups that are named; a tool that is there already costs nothing.
#   rust      the wasm32 target, rustfmt and clippy, by rustup
#   page      trunk and wasm-bindgen, which build the page, by cargo install
#   node      Node.js and npm (apt), then the packages of package.json
#   browser   Chromium and Mesa's software Vulkan (apt), which the tests run on
#   training  PyTorch and the rest of training/requirements.txt, into target/training (pip; 5 GB)
# apt runs through sudo unless you are root. On another system, or without sudo, install those packages yourself first:
# CONTRIBUTING.md names them.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/step.sh

TRUNK=0.21.14
# The oldest that the browser driver of the tests runs on; NODE_FALLBACK is taken from npm where apt has an older one.
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

# Neither tool downloads anything here, so both are built without TLS. trunk waits for others and is not optimised; wasm-bindgen
# reads 16 MB of wasm and is, a little. The published lock file of wasm-bindgen-cli names versions that were withdrawn.
install_trunk() { CARGO_PROFILE_DEV_DEBUG=0 cargo install trunk --version $TRUNK --locked --no-default-features --debug --quiet; }
install_wasm_bindgen() {
  CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
    cargo install wasm-bindgen-cli --version "$WASM_BINDGEN" --no-default-features --bin wasm-bindgen --quiet
}

has_node() { has npm && [ "$(node --version | sed 's/^v\([0-9]*\).*/\1/')" -ge "$NODE" ]; }
node_from_npm() { npm install --prefix target/node --no-save --no-audit --no-fund --loglevel=error node@$NODE_FALLBACK; }
has_vulkan() { compgen -G "/usr/share/vulkan/icd.d/*.json" >/dev/null; }
npm_fresh() { [ node_modules/.package-lock.json -nt package-lock.json ]; }
npm_packages() { npm ci --no-audit --no-fund --loglevel=error && touch node_modules/.package-lock.json; }

setup_rust() {
  if ! has cargo || ! has rustup; then
    echo "Rust is missing: install it from https://rustup.rs and run this again." >&2
    exit 1
  fi
  rustup target list --installed | grep -qx wasm32-unknown-unknown ||
    step "Rust's wasm32 target" rustup target add wasm32-unknown-unknown
  (cargo fmt --version && cargo clippy --version) >/dev/null 2>&1 ||
    step "rustfmt and clippy" rustup component add rustfmt clippy
}

setup_page() {
  [ "$(trunk --version 2>/dev/null)" = "trunk $TRUNK" ] ||
    step "trunk $TRUNK, which builds and serves the page" install_trunk
  [ "$(wasm-bindgen --version 2>/dev/null)" = "wasm-bindgen $WASM_BINDGEN" ] ||
    step "wasm-bindgen $WASM_BINDGEN" install_wasm_bindgen
}

setup_node() {
  has npm || step "Node.js" apt_install nodejs npm
  has_node || step "Node.js $NODE_FALLBACK (this system has an older one)" node_from_npm
  npm_fresh || step "npm packages" npm_packages
}

setup_browser() {
  has_vulkan || step "Mesa's software Vulkan" apt_install mesa-vulkan-drivers
  [ -x "${CHROMIUM:-/usr/bin/chromium}" ] || step "Chromium" apt_install chromium
}

has_venv() { python3 -c 'import ensurepip, venv' 2>/dev/null; }
training_fresh() { [ target/training/requirements.txt -nt training/requirements.txt ]; }
training_packages() {
  python3 -m venv target/training
  target/training/bin/python -m pip install --quiet --disable-pip-version-check -r training/requirements.txt
  cp training/requirements.txt target/training/
}

setup_training() {
  has_venv || step "Python with venv" apt_install python3-venv
  training_fresh || step "PyTorch, for training/" training_packages
}

for group; do "setup_$group"; done
