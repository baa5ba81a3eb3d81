#!/usr/bin/env bash
# Runs the tests of training/ in the environment that setup.sh made, beside the command of this build.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --locked --quiet --workspace --all-targets
INFINITY=target/debug/infinity target/training/bin/python -m unittest discover -q -s training/tests -t .
