// Whether the engine can run in this browser, and on what.

import { survey } from "../engine/device.js";

/** A module of one SIMD instruction. */
const SIMD = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);

/** @returns {Promise<import("./types.js").Support>} */
export async function support() {
  if (typeof Worker === "undefined" || !WebAssembly.validate(SIMD)) {
    const shortfall = "The engine needs a browser with workers and WebAssembly SIMD; take a current one.";
    return { device: null, webgpu: false, software: false, reason: "this browser is too old", shortfalls: [shortfall] };
  }
  const { usable, software, reason, shortfalls } = await survey();
  return { device: usable && !software ? "webgpu" : "cpu", webgpu: usable, software, reason, shortfalls };
}
