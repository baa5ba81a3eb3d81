// Which engine is chosen and what the visitor reads about it, for browsers and GPUs that no test machine has.

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { chooseDevice, survey } from "../www/engine/device.js";

const MB = 1 << 20;

/** @param {string} name @param {unknown} value */
const define = (name, value) => Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });

/**
 * @param {object | undefined} adapter
 * @param {boolean} [secure]
 */
function browser(adapter, secure = true) {
  define("navigator", { gpu: adapter });
  define("self", { isSecureContext: secure });
}

/** @param {{ features?: string[], info?: object, binding?: number }} [adapter] */
function gpu({ features = ["timestamp-query"], info = {}, binding = 2048 * MB } = {}) {
  const full = { vendor: "acme", architecture: "roadrunner", device: "", description: "", isFallbackAdapter: false, ...info };
  return { requestAdapter: async () => ({ features: new Set(features), info: full, limits: { maxStorageBufferBindingSize: binding } }) };
}

const { navigator, self } = globalThis;
afterEach(() => {
  define("navigator", navigator);
  define("self", self);
});

test("a GPU with all that is needed is taken, under its own name", async () => {
  browser(gpu());
  assert.deepEqual(await survey(), { usable: true, software: false, reason: "roadrunner", shortfalls: [] });
  assert.deepEqual(await chooseDevice("auto"), { engine: "webgpu", reason: "roadrunner" });
  assert.deepEqual(await chooseDevice("cpu"), { engine: "cpu", reason: "as chosen" });
});

/** @type {[what: string, gpu: object | undefined, secure: boolean, reason: string, shortfall: RegExp][]} */
const LACKS = [
  ["no WebGPU", undefined, true, "this browser has no WebGPU", /no WebGPU; a current Chrome/],
  ["plain http", undefined, false, "this browser has no WebGPU", /only to pages of https/],
  ["no adapter", { requestAdapter: async () => null }, true, "WebGPU found no GPU", /driver may be blocked/],
  ["a failing adapter", { requestAdapter: () => Promise.reject(new Error("blocked")) }, true, "WebGPU found no GPU", /driver may be blocked/],
  ["no timers", gpu({ features: [] }), true, "its WebGPU lacks timestamp queries", /settings against tracking turn them off/],
];
for (const [what, gpu, secure, reason, shortfall] of LACKS) {
  test(`with ${what} the CPU engine is taken, and WebGPU by name is refused with the way out`, async () => {
    browser(gpu, secure);
    const found = await survey();
    assert.deepEqual([found.usable, found.reason, found.shortfalls.length], [false, reason, 1]);
    assert.match(found.shortfalls[0] ?? "", shortfall);
    assert.deepEqual(await chooseDevice("auto"), { engine: "cpu", reason });
    await assert.rejects(chooseDevice("webgpu"), { message: `WebGPU cannot run here (${reason}); choose the CPU engine` });
  });
}

for (const info of [{ isFallbackAdapter: true }, { description: "SwiftShader Device (LLVM 10.0.0)" }, { vendor: "mesa", device: "llvmpipe" }]) {
  test(`a software adapter is only taken by name: ${JSON.stringify(info)}`, async () => {
    browser(gpu({ info }));
    const { usable, software, shortfalls } = await survey();
    assert.deepEqual([usable, software], [true, true]);
    assert.match(shortfalls[0] ?? "", /slower than the CPU engine/);
    assert.equal((await chooseDevice("auto")).engine, "cpu");
    assert.deepEqual(await chooseDevice("webgpu"), { engine: "webgpu", reason: "as chosen, on a software adapter" });
  });
}

test("a GPU that binds little is taken, with a word about large models", async () => {
  for (const [binding, told] of /** @type {[number, boolean][]} */ ([[64 * MB, true], [128 * MB, true], [256 * MB, false]])) {
    browser(gpu({ binding }));
    const { usable, shortfalls } = await survey();
    assert.ok(usable);
    assert.equal(shortfalls.some((line) => /binds at most 128 MB/.test(line)), told, `${binding / MB} MB`);
  }
});
