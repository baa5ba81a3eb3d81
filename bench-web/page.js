// node bench-web/page.js [rounds] [page]: how long the built page (dist) takes for one image on each engine, and on WebGPU without the
// project's shaders, in headless Chromium with the software adapter. All draw the same prompt and seeds, one after the other in
// every round, so that what else the machine does meets all. Prints a Markdown table of medians; the first image of each
// engine, which compiles the shaders, stands by itself.

import { launch } from "../tests/e2e/visit.js";
import { median } from "./median.js";

const ROUNDS = Number(process.argv[2] ?? 5);
process.env.PAGE = process.argv[3] ?? "dist";
const { serve } = await import("../tests/e2e/site.js");

const site = await serve();
const browser = await launch();
// A service worker would answer in place of the route below.
const page = await browser.newPage({ serviceWorkers: "block" });
// Counts what any worker of the page sends to the GPU.
await page.route("**/worker.js", async (route) => {
  const response = await route.fetch();
  const counting = `
    import { WebEngine, useShaders } from "./infinity-web.js";
    const { load: build } = WebEngine;
    let burns = false;
    self.addEventListener("message", ({ data }) => (burns ||= data.source?.burns ?? false));
    WebEngine.load = (...about) => {
      useShaders(!burns);
      return build(...about);
    };
    let dispatches = 0;
    const { dispatchWorkgroups } = globalThis.GPUComputePassEncoder?.prototype ?? {};
    if (dispatchWorkgroups) GPUComputePassEncoder.prototype.dispatchWorkgroups = function (...count) {
      dispatches += 1;
      return dispatchWorkgroups.apply(this, count);
    };
    let shaders = 0;
    const { createComputePipeline } = globalThis.GPUDevice?.prototype ?? {};
    if (createComputePipeline) GPUDevice.prototype.createComputePipeline = function (about) {
      shaders += 1;
      return createComputePipeline.call(this, about);
    };
    const post = globalThis.postMessage.bind(globalThis);
    globalThis.postMessage = (message, ...rest) =>
      post(message && typeof message === "object" ? Object.assign(message, { dispatches, shaders }) : message, ...rest);\n`;
  const text = await response.text();
  const imports = text.lastIndexOf("\nimport ");
  const end = text.indexOf(";", imports) + 1;
  await route.fulfill({ response, body: text.slice(0, end) + counting + text.slice(end) });
});
page.on("pageerror", (error) => console.error(error.message));
await page.goto(site.url);
const drawn = await page.evaluate(async (rounds) => {
  // Addresses of the page, not of this file.
  const { EngineClient } = await import(new URL("engine/client.js", location.href).href);
  /** @type {Record<string, { total: number, scales: number[], dispatches: number[], shaders: number }[]>} */
  const drawn = {};
  /** @type {Record<string, any>} */
  const clients = {};
  for (const [name, engine] of [["webgpu", "webgpu"], ["cpu", "cpu"], ["webgpu, burn's operations", "webgpu"]]) {
    clients[name] = new EngineClient();
    const manifest = new URL("models/default/manifest.json", location.href).href;
    await clients[name].load({ manifest, files: {}, burns: name !== engine }, engine, () => {});
    drawn[name] = [];
  }
  for (let round = 0; round <= rounds; round += 1) {
    for (const engine of Object.keys(clients)) {
      const began = performance.now();
      /** @type {number[]} */
      const scales = [];
      /** @type {number[]} */
      const dispatches = [];
      let shaders = 0;
      await clients[engine].generate({ prompt: "a red apple", seed: round }, (/** @type {any} */ event) => {
        if (event.type === "started") dispatches.push(event.dispatches);
        shaders = event.shaders;
        if (event.type !== "scale") return;
        scales.push(performance.now() - began);
        dispatches.push(event.dispatches);
      });
      drawn[engine].push({ total: performance.now() - began, scales, dispatches, shaders });
    }
  }
  return drawn;
}, ROUNDS);
await browser.close();
site.close();

console.log("| engine | first image s | shaders it compiles | image s | first scale s | after each scale s | dispatches of each scale |");
console.log("|---|---:|---:|---:|---:|---|---|");
for (const [engine, images] of Object.entries(drawn)) {
  const [first, ...warm] = images;
  const seconds = (/** @type {number} */ ms) => (ms / 1000).toFixed(2);
  const scales = warm[0].scales.map((_, k) => median(warm.map((image) => image.scales[k])));
  const counts = warm[0].dispatches.slice(1).map((count, k) => count - warm[0].dispatches[k]);
  const row = [engine, seconds(first.total), first.shaders, seconds(median(warm.map((image) => image.total))), seconds(scales[0]),
    scales.map(seconds).join(", "), engine === "cpu" ? "-" : counts.join(", ")];
  console.log(`| ${row.join(" | ")} |`);
}
