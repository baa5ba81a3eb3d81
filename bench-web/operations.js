// node bench-web/operations.js [default|125m|2b] [scale] [rounds] [name]: what the operations of one scale (the last, if none is said)
// and of a decoding cost in a page, by shape, with the kernels and with burn's operations, in turn, on the software adapter. `name`
// leaves all others out: `linear`, for example, selects the matmuls. Prints a Markdown table of medians.

import { open } from "./built.js";
import { median } from "./median.js";

/** @typedef {{ name: string, shape: string, count: number, flop: number, bytes: number }} Row */
/** @typedef {{ ms: number, dispatches: number }} Cost */

const [model = "default", scale, rounds = "3", only = ""] = process.argv.slice(2);
const { page, close } = await open();
/** @type {Row[]} */
const rows = await page.evaluate(
  ([model, scale]) => /** @type {any} */ (globalThis).bench.operations(model, scale ? Number(scale) : undefined),
  [model, scale],
);
/** @type {{ row: Row, ours: Cost, burns: Cost }[]} */
const timed = [];
for (const [index, row] of rows.entries()) {
  if (!row.name.startsWith(only)) continue;
  const { ours, burns } = await page.evaluate(measure, { index, rounds: Number(rounds) });
  const cost = (/** @type {{ times: number[], dispatches: number }} */ { times, dispatches }) => ({ ms: median(times), dispatches });
  timed.push({ row, ours: cost(ours), burns: cost(burns) });
  console.error(`${row.name}, ${row.shape}: ${median(ours.times).toFixed(1)} ms`);
}
await close();

const whole = (/** @type {"ours" | "burns"} */ which) => timed.reduce((sum, { row, ...costs }) => sum + row.count * costs[which].ms, 0);
console.log("| operation | shape | times | dispatches | ms | GFLOP/s | GB/s | share | burn's dispatches | burn's ms | ratio |");
console.log("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
for (const { row, ours, burns } of timed) {
  const cells = [row.name, row.shape, row.count, ours.dispatches, ours.ms.toFixed(2), (row.flop / ours.ms / 1e6).toFixed(2),
    (row.bytes / ours.ms / 1e6).toFixed(2), `${((100 * row.count * ours.ms) / whole("ours")).toFixed(1)} %`, burns.dispatches,
    burns.ms.toFixed(2), (burns.ms / ours.ms).toFixed(1)];
  console.log(`| ${cells.join(" | ")} |`);
}
const [ours, burns] = [whole("ours"), whole("burns")];
console.log(`| all | | | | ${ours.toFixed(0)} | | | | | ${burns.toFixed(0)} | ${(burns / ours).toFixed(1)} |`);

/**
 * In the page: milliseconds of one launch, in every round, with the kernel and with burn's operations. A time is taken over as many
 * launches as a tenth of a second holds, so that the wait at its end counts little.
 * @param {{ index: number, rounds: number }} work
 */
async function measure({ index, rounds }) {
  const global = /** @type {any} */ (globalThis);
  global.bench.prepare(index);
  const begin = async (/** @type {boolean} */ ours) => {
    // The first compiles.
    await global.bench.time(ours, 1);
    const before = global.dispatches;
    const once = await global.bench.time(ours, 1);
    const launches = Math.min(Math.max(Math.round(100 / once), 1), 64);
    return { kernel: ours, dispatches: global.dispatches - before, launches, times: /** @type {number[]} */ ([]) };
  };
  const [ours, burns] = [await begin(true), await begin(false)];
  for (let round = 0; round < rounds; round += 1) {
    for (const way of [ours, burns]) way.times.push((await global.bench.time(way.kernel, way.launches)) / way.launches);
  }
  return { ours, burns };
}
