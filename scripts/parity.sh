#!/usr/bin/env bash
# Runs every golden case on both engines and writes the errors against the official code to docs/parity.md.
set -euo pipefail
cd "$(dirname "$0")/.."

# The tests append one line per compared tensor: case, kind, device, tensor, worst error, share of tolerance.
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

Every case of `tests/golden`, compared element by element with the results of the official code on a CPU in f32. An error is
the absolute difference; the case's manifest states a tolerance for each tensor, `atol + rtol * |expected|`.
The last column of each engine is the error of the worst element as a share of its tolerance; integers and bits must agree
exactly. A value over 100 % is possible only where the manifest allows a fraction of the elements to differ. `make parity`
writes this page.

| case | kind | tensors | flex: worst error | of tolerance | wgpu: worst error | of tolerance |
|---|---|---:|---:|---:|---:|---:|
HEAD
table >>docs/parity.md.new
mv docs/parity.md.new docs/parity.md
echo "    $(wc -l <"$rows") comparisons, $(grep -c '^| `' docs/parity.md) cases"
