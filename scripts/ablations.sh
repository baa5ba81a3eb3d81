#!/usr/bin/env bash
# The models of the paper's Tables 7 and 8: teacher forcing, random flips, and self-correction with p = 0.1, 0.2 and 0.3, all
# with the same steps, data and seed, each packed into a model folder in OUT.
#
#   scripts/ablations.sh TOKENIZER OUT STEPS DEVICE [options of `infinity train transformer`, such as --data or --init-from]
#
# TOKENIZER is the folder of a finished tokenizer's run, DEVICE is cpu or webgpu. Run it again to resume.
# INFINITY names a built program; without it, the program is built here. Then one table of all:
#
#   infinity eval tables --own --model OUT/self-correction-0.3 --model OUT/teacher-forcing ... --data DATA
set -euo pipefail

if [ $# -lt 4 ]; then
  sed -n '2,/^set/p' "$0" | sed -n 's/^# \{0,1\}//p' >&2
  exit 1
fi
tokenizer=$1 out=$2 steps=$3 device=$4
shift 4

infinity=${INFINITY:-}
if [ -z "$infinity" ]; then
  root=$(cd "$(dirname "$0")/.." && pwd)
  cargo build --locked --release --quiet --manifest-path "$root/Cargo.toml"
  infinity=${CARGO_TARGET_DIR:-$root/target}/release/infinity
fi

# variant NAME OPTIONS..: trains and packs one; a packed one is left alone.
variant() {
  local name=$1
  shift
  if [ -e "$out/$name/manifest.json" ]; then
    echo "$name is there already"
    return
  fi
  echo "$name"
  "$infinity" train transformer --tokenizer "$tokenizer" --out "$out/runs/$name" --steps "$steps" --device "$device" "$@"
  "$infinity" pack --tokenizer "$tokenizer" --transformer "$out/runs/$name" --out "$out/$name" --name "${name//-/ }"
}

variant self-correction-0.3 --flips 0.3 "$@"
variant self-correction-0.2 --flips 0.2 "$@"
variant self-correction-0.1 --flips 0.1 "$@"
variant random-flip-0.3 --flips 0.3 --inputs-only "$@"
variant teacher-forcing --flips 0 "$@"
