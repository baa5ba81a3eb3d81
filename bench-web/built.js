// A page with the wasm of bench-web/wasm, which is built first, in headless Chromium with the software adapter.

import { execFileSync } from "node:child_process";
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { launch } from "../tests/e2e/visit.js";
import { serve } from "./site.js";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const TARGET = resolve(ROOT, process.env.CARGO_TARGET_DIR ?? "target");
const BUILT = resolve(ROOT, "target/bench");

/** @param {string} program @param {string[]} words */
const run = (program, ...words) => execFileSync(program, words, { cwd: ROOT, stdio: "inherit" });

function build() {
  // The profile of the page, as what is launched how quickly counts.
  run("cargo", "build", "--locked", "--package", "infinity-bench", "--target", "wasm32-unknown-unknown", "--profile", "web");
  run("wasm-bindgen", "--target", "web", "--out-dir", BUILT, resolve(TARGET, "wasm32-unknown-unknown/web/infinity_bench.wasm"));
}

/**
 * Opens the page, in which `globalThis.bench` is a `Bench` of bench-web/wasm/lib.rs and `globalThis.dispatches` counts what was
 * dispatched.
 */
export async function open() {
  build();
  const site = serve(pathToFileURL(`${BUILT}/`));
  // By burn's operations one dispatch may take longer than the browser lets a graphics process be silent.
  const browser = await launch(["--disable-gpu-watchdog"]);
  const page = await browser.newPage();
  page.setDefaultTimeout(0);
  page.on("pageerror", (error) => console.error(error.message));
  page.on("console", (message) => message.type() === "error" && console.error(message.text()));
  await page.goto(site.url);
  await page.evaluate(async () => {
    const wasm = await import(/** @type {any} */ ("/infinity_bench.js"));
    await wasm.default();
    const page = /** @type {any} */ (globalThis);
    page.dispatches = 0;
    const { dispatchWorkgroups } = GPUComputePassEncoder.prototype;
    GPUComputePassEncoder.prototype.dispatchWorkgroups = function (...count) {
      page.dispatches += 1;
      return dispatchWorkgroups.apply(this, count);
    };
    page.bench = await wasm.Bench.open(true);
  });
  const close = async () => {
    await browser.close();
    site.close();
  };
  return { page, close };
}
