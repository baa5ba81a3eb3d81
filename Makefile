# make serve   the page on http://localhost:8080
# make test    every check and test
# make build   the page into dist/
# make parity  how far every golden case is from the official code, into docs/parity.md
# Each installs what it lacks, says what it does and how long that took; a second run is quick.

export TRUNK_SKIP_VERSION_CHECK := true
STEP := @scripts/step.sh
WASM := --target wasm32-unknown-unknown --no-default-features --lib

.PHONY: serve test build parity page-tools test-tools lint unit tiny-model page size e2e

serve: page-tools
	$(STEP) "Building the page, then serving it on http://localhost:8080" trunk serve

build: page-tools page size

test: test-tools lint unit tiny-model page size e2e

parity: test-tools
	$(STEP) "Golden cases on the CPU and on wgpu, into docs/parity.md" scripts/parity.sh

page-tools:
	@scripts/setup.sh page

test-tools:
	@scripts/setup.sh tests

lint:
	$(STEP) "Format" cargo fmt --check
	$(STEP) "Types of the page's scripts" npx tsc
	$(STEP) "Lints" cargo clippy --locked --quiet --all-targets -- -D warnings
	$(STEP) "Lints of the browser's side" cargo clippy --locked --quiet $(WASM) -- -D warnings
	$(STEP) "Check for wasm32" cargo check --locked --quiet $(WASM)

unit:
	$(STEP) "Rust tests" cargo test --locked

tiny-model:
	$(STEP) "Tiny random model" cargo run --locked --quiet --example tiny_model -- target/tiny-model

page:
	$(STEP) "Page" trunk build

size:
	@scripts/size.sh

e2e:
	$(STEP) "Browser tests" node --test --test-concurrency=1 tests/e2e/*.test.js
