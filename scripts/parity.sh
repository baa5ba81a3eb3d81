#!/usr/bin/env bash
# Runs every golden case on both engines and writes how far each is from the official code to docs/parity.md.
set -euo pipefail
cd "$(dirname "$0")/.."

# The tests append one line for each tensor they compare: case, kind, device, tensor, worst error, share of tolerance.
rows=target/golden.tsv
rm -f "$rows"
cargo test --locked --quiet --lib golden

table() {
  sort -t $'\t' -k1,1 "$rows" | awk -F '\t' '
    $1 != name {
      print_row()
      name = $1; kind = $2; gsub("_", " ", kind)
      tensors = 0; split("", listed); split("", seen); split("", worst); split("", share)
    }
    !($4 in listed) { listed[$4]; tensors++ }
    {
      seen[$3]
      if ($5 + 0 > worst[$3] + 0) worst[$3] = $5
      if ($6 + 0 > share[$3] + 0) share[$3] = $6
    }
    END { print_row() }
    function cell(device) {
      if (!(device in seen)) return "not compared | "
      return sprintf("%.1e | %.1f %%", worst[device], 100 * share[device])
    }
    function print_row() {
      if (name != "") printf "| `%s` | %s | %d | %s | %s |\n", name, kind, tensors, cell("flex"), cell("wgpu")
    }'
}

mkdir -p docs
cat >docs/parity.md.new <<'HEAD'
# Parity with the official code

Every case of `tests/golden`, compared element by element with what the official code computed on a CPU in f32. An error is
the absolute difference; its tolerance, `atol + rtol * |expected|`, is stated for each tensor in the case's manifest.
The last column of an engine is the largest share of its tolerance that any element takes; integers and bits must agree
exactly. Over 100 % can only stand where the manifest lets a fraction of the elements differ. `make parity` writes this
page.

| case | kind | tensors | flex: worst error | of tolerance | wgpu: worst error | of tolerance |
|---|---|---:|---:|---:|---:|---:|
HEAD
table >>docs/parity.md.new
mv docs/parity.md.new docs/parity.md
echo "    $(wc -l <"$rows") comparisons, $(grep -c '^| `' docs/parity.md) cases"
