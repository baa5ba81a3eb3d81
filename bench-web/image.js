// node bench-web/image.js [125m|2b] [scales] [rounds] [burn's rounds]: an image of 256 x 256 with random weights in a page, its first
// scales (all, if no number is said) and its decoding, with the kernels and with burn's operations, on the software adapter.
// The first of each compiles and does not count, unless no round is asked for: burn's operations take most of an hour for two of
// 125M, and a minute for compiling. Prints a Markdown table of medians.

import { open } from "./built.js";
import { median } from "./median.js";

const [model = "125m", first = "7", rounds = "3", burns = "0"] = process.argv.slice(2);
const scales = Number(first);
const { page, close } = await open();
const flop = await page.evaluate(([model, scales]) => {
  const { bench } = /** @type {any} */ (globalThis);
  bench.prepareImage(model);
  return { drawing: bench.drawingFlop(scales), decoding: bench.decodingFlop() };
}, /** @type {const} */ ([model, scales]));
console.log("| | scales | s | GFLOP/s | each scale, s | decoding, s | GFLOP/s |");
console.log("|---|---:|---:|---:|---|---:|---:|");
for (const [name, ours, count] of /** @type {const} */ ([["kernels", true, Number(rounds)], ["burn's operations", false, Number(burns)]])) {
  const [drawn, decoded] = await page.evaluate(measure, { ours, scales, count });
  const each = drawn[0]?.map((_, k) => median(drawn.map((times) => times[k] ?? NaN))) ?? [];
  const whole = median(drawn.map((times) => times.reduce((sum, ms) => sum + ms, 0)));
  const decoding = median(decoded);
  const seconds = (/** @type {number} */ ms) => (ms / 1000).toFixed(2);
  const cells = [name, scales, seconds(whole), (flop.drawing / whole / 1e6).toFixed(2), each.map(seconds).join(", "),
    seconds(decoding), (flop.decoding / decoding / 1e6).toFixed(2)];
  console.log(`| ${cells.join(" | ")} |`);
}
await close();

/**
 * In the page: milliseconds of every scale of every image, and of every decoding.
 * @param {{ ours: boolean, scales: number, count: number }} work
 * @returns {Promise<[number[][], number[]]>}
 */
async function measure({ ours, scales, count }) {
  const { bench } = /** @type {any} */ (globalThis);
  /** @type {number[][]} */
  const drawn = [];
  /** @type {number[]} */
  const decoded = [];
  for (let round = 0; round <= count; round += 1) {
    drawn.push([...(await bench.draw(ours, scales))]);
    decoded.push(await bench.decode(ours));
  }
  const warm = Math.min(count, 1);
  return [drawn.slice(warm), decoded.slice(warm)];
}
