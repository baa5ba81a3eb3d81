// node bench-web/onnx.js [rounds]: linear layers of the models' shapes by every kernel variant of shaders/matmul and by
// onnxruntime-web's WebGPU, in turn, on one device of one page, in headless Chromium with the software adapter. Weights and inputs stay
// on the GPU; a run ends when the GPU is done. Prints a Markdown table of medians. Needs `npm ci --prefix bench-web`.

import { launch } from "../tests/e2e/visit.js";
import { open } from "./built.js";
import { median } from "./median.js";
import { matmul } from "./onnx-model.js";
import { serve } from "./site.js";

const ROUNDS = Number(process.argv[2] ?? 7);
/** Rows, k and n of matmuls of the default model and of the 125M model. */
const SHAPES = [
  [2, 256, 768],
  [32, 256, 768],
  [128, 256, 768],
  [128, 256, 1024],
  [128, 1024, 256],
  [512, 768, 2304],
];
/** A kernel variant as bench-web/wasm/lib.rs has it. @typedef {{ name: string, wgsl: string, sizes: number[], workgroups: number[] }} Kernel */

/** The variants for each shape. @type {Kernel[][]} */
const kernels = await (async () => {
  const { page, close } = await open();
  const found = await page.evaluate(async (shapes) => {
    const { linearKernels } = await import(/** @type {any} */ ("/infinity_bench.js"));
    return shapes.map((shape) => linearKernels(...shape));
  }, SHAPES);
  await close();
  return found;
})();
const names = kernels[0]?.map(({ name }) => name) ?? [];

/** Numbers without a pattern. @param {number} count */
const values = (count) => Float32Array.from({ length: count }, (_, i) => ((i * 7919 + 13) % 101) / 50 - 1);

const site = serve(new URL("node_modules/onnxruntime-web/dist/", import.meta.url));
const browser = await launch();
const page = await browser.newPage();
page.on("pageerror", (error) => console.error(error.message));
await page.goto(site.url);

console.log("| rows x k x n | onnxruntime-web ms | " + names.map((name) => `${name} ms`).join(" | ") + " | quickest, ratio |");
console.log(`|---|${"---:|".repeat(names.length + 2)}`);
for (const [i, [rows = 0, k = 0, n = 0]] of SHAPES.entries()) {
  const [x, weight] = [values(rows * k), values(k * n)];
  // ONNX stores the weight of a matmul as [k, n].
  const transposed = Float32Array.from({ length: k * n }, (_, i) => weight[(i % n) * k + Math.floor(i / n)] ?? 0);
  const times = await page.evaluate(measure, {
    rounds: ROUNDS,
    model: [...matmul(rows, k, n, transposed)],
    x: [...x],
    weight: [...weight],
    shape: [rows, k, n],
    kernels: kernels[i] ?? [],
  });
  const [onnx = NaN, ...ours] = times.map(median);
  const cells = [`${rows} x ${k} x ${n}`, onnx.toFixed(2), ...ours.map((ms) => ms.toFixed(2)), (onnx / Math.min(...ours)).toFixed(1)];
  console.log(`| ${cells.join(" | ")} |`);
}
await browser.close();
site.close();

/**
 * In the page: milliseconds of every round, of onnxruntime first.
 * @param {{ rounds: number, model: number[], x: number[], weight: number[], shape: number[], kernels: Kernel[] }} work
 * @returns {Promise<number[][]>}
 */
async function measure({ rounds, model, x, weight, shape, kernels }) {
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
  for (const { name, wgsl, sizes, workgroups } of kernels) {
    const result = buffer(rows * n);
    // Four bytes each, and the whole a multiple of sixteen.
    const uniform = device.createBuffer({ size: 16 * Math.ceil(sizes.length / 4), usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
    device.queue.writeBuffer(uniform, 0, new Uint32Array(sizes));
    const compute = { module: device.createShaderModule({ code: wgsl }), entryPoint: "main" };
    const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute });
    const resources = [input, weights, result, uniform].map((buffer, binding) => ({ binding, resource: { buffer } }));
    const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: resources });
    const ours = async () => {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(workgroups[0] ?? 1, workgroups[1], workgroups[2]);
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
