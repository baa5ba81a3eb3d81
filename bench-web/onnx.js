// node bench/onnx.js [rounds]: products of the models' shapes by shaders/linear_*.wgsl and by onnxruntime-web's WebGPU, in turn, on
// one device of one page, in headless Chromium with the software adapter. Weights and inputs stay on the device; a run ends
// when the device is done. Prints a Markdown table of medians. Needs `npm ci --prefix bench`.

import { readFileSync } from "node:fs";
import { launch } from "../tests/e2e/visit.js";
import { expand } from "./expand.js";
import { product } from "./onnx-model.js";
import { serve } from "./site.js";

const ROUNDS = Number(process.argv[2] ?? 7);
/** Rows, k and n of products of the default model and of the 125M model. */
const SHAPES = [
  [2, 256, 768],
  [32, 256, 768],
  [128, 256, 768],
  [128, 256, 1024],
  [128, 1024, 256],
  [512, 768, 2304],
];
/** @type {Record<string, { file: string, constants: Record<string, number>, lanes: number }>} */
const WAYS = {
  registers: { file: "registers", constants: { ROWS: 8, FOURS: 1 }, lanes: 64 },
  "wide registers": { file: "registers", constants: { ROWS: 16, FOURS: 4 }, lanes: 8 },
  "wide tiles": { file: "tiles", constants: { ROWS: 2, COLUMNS: 2, ACROSS: 8, DOWN: 8 }, lanes: 64 },
};
const SIZES = ["R", "N", "K", "LENGTH", "GATE", "STRIDE", "SCALES"];
const PLAIN = { F32: 1, F16: 0, BLOCKS: 0, Q8: 0, Q4: 0, BIAS: 0, GELU: 0, TIMES: 0, RESIDUAL: 0, GATED: 0 };

/** @param {string} name */
const shader = (name) => readFileSync(new URL(`../shaders/${name}.wgsl`, import.meta.url), "utf8");

/** @param {string} name @param {number} rows @param {number} n */
function way(name, rows, n) {
  const { file, constants: fixed, lanes } = /** @type {(typeof WAYS)[string]} */ (WAYS[name]);
  const constants = { ...fixed };
  if (file === "registers") constants.ROWS = [2, 8].find((few) => rows <= few) ?? fixed.ROWS ?? 8;
  const { ROWS = 1, FOURS = 1, COLUMNS = 1, ACROSS = 1, DOWN = 1 } = constants;
  const groups = file === "registers"
    ? [Math.ceil(n / 4 / FOURS / lanes), Math.ceil(rows / ROWS), 1]
    : [Math.ceil(n / 4 / COLUMNS / ACROSS), Math.ceil(rows / 4 / ROWS / DOWN), 1];
  const code = expand(shader("linear") + shader(`linear_${file}`), { ...PLAIN, ...constants, LANES: lanes }, SIZES, 3);
  return { name, code, groups };
}

/** Numbers without a pattern. @param {number} count */
const values = (count) => Float32Array.from({ length: count }, (_, i) => ((i * 7919 + 13) % 101) / 50 - 1);

const site = serve(new URL("node_modules/onnxruntime-web/dist/", import.meta.url));
const browser = await launch();
const page = await browser.newPage();
page.on("pageerror", (error) => console.error(error.message));
await page.goto(site.url);

console.log("| rows x k x n | onnxruntime-web ms | " + Object.keys(WAYS).map((name) => `${name} ms`).join(" | ") + " | quickest, ratio |");
console.log(`|---|${"---:|".repeat(Object.keys(WAYS).length + 2)}`);
for (const [rows = 0, k = 0, n = 0] of SHAPES) {
  const [x, weight] = [values(rows * k), values(k * n)];
  // ONNX keeps a product's weight as [k, n].
  const turned = Float32Array.from({ length: k * n }, (_, i) => weight[(i % n) * k + Math.floor(i / n)] ?? 0);
  const times = await page.evaluate(measure, {
    rounds: ROUNDS,
    sizes: [rows, n / 4, k / 4, rows, 0, k / 4, 0],
    model: [...product(rows, k, n, turned)],
    x: [...x],
    weight: [...weight],
    shape: [rows, k, n],
    ways: Object.keys(WAYS).map((name) => way(name, rows, n)),
  });
  const [onnx = NaN, ...ours] = times.map((list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? NaN);
  const cells = [`${rows} x ${k} x ${n}`, onnx.toFixed(2), ...ours.map((ms) => ms.toFixed(2)), (onnx / Math.min(...ours)).toFixed(1)];
  console.log(`| ${cells.join(" | ")} |`);
}
await browser.close();
site.close();

/**
 * In the page: milliseconds of every round, of onnxruntime first.
 * @param {{ rounds: number, sizes: number[], model: number[], x: number[], weight: number[], shape: number[],
 *   ways: { name: string, code: string, groups: number[] }[] }} work
 * @returns {Promise<number[][]>}
 */
async function measure({ rounds, sizes, model, x, weight, shape, ways }) {
  const ort = await import(/** @type {any} */ ("/ort.webgpu.min.mjs"));
  const session = await ort.InferenceSession.create(new Uint8Array(model), {
    executionProviders: ["webgpu"],
    preferredOutputLocation: "gpu-buffer",
  });
  const [rows = 0, k = 0, n = 0] = shape;
  /** @type {GPUDevice} */
  const device = await ort.env.webgpu.device;
  /** @param {number[] | number} content */
  const buffer = (content) => {
    const size = 4 * (typeof content === "number" ? content : content.length);
    const made = device.createBuffer({ size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST });
    if (typeof content !== "number") device.queue.writeBuffer(made, 0, new Float32Array(content));
    return made;
  };
  const [input, weights] = [buffer(x), buffer(weight)];
  const uniform = device.createBuffer({ size: 32, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
  device.queue.writeBuffer(uniform, 0, new Uint32Array([...sizes, 0]));
  /** @param {GPUBuffer} from */
  const read = async (from) => {
    const copy = device.createBuffer({ size: from.size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(from, 0, copy, 0, from.size);
    device.queue.submit([encoder.finish()]);
    await copy.mapAsync(GPUMapMode.READ);
    return new Float32Array(copy.getMappedRange()).slice(0, rows * n);
  };
  const tensor = ort.Tensor.fromGpuBuffer(input, { dataType: "float32", dims: [rows, k] });
  const theirs = async () => {
    const { y } = await session.run({ x: tensor });
    await device.queue.onSubmittedWorkDone();
    return y;
  };
  const first = await theirs();
  const expected = await read(first.gpuBuffer);
  first.dispose();
  const contestants = [async () => (await theirs()).dispose()];
  for (const { name, code, groups } of ways) {
    const result = buffer(rows * n);
    const compute = { module: device.createShaderModule({ code }), entryPoint: "main" };
    const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute });
    const resources = [input, weights, result, uniform].map((buffer, binding) => ({ binding, resource: { buffer } }));
    const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: resources });
    const ours = async () => {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(groups[0] ?? 1, groups[1], groups[2]);
      pass.end();
      device.queue.submit([encoder.finish()]);
      await device.queue.onSubmittedWorkDone();
    };
    await ours();
    const found = await read(result);
    const off = expected.reduce((worst, value, i) => Math.max(worst, Math.abs(value - (found[i] ?? NaN))), 0);
    if (!(off < 1e-2)) throw new Error(`${name} differs from onnxruntime by ${off}`);
    contestants.push(ours);
  }
  /** @type {number[][]} */
  const times = contestants.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [i, run] of contestants.entries()) {
      const began = performance.now();
      await run();
      times[i]?.push(performance.now() - began);
    }
  }
  return times;
}
