// Every code that the engine, the worker or the client can tell is one of the documented union, and the README has them all.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { crash, isCrash } from "../www/engine/error.js";

/** @param {string} path */
const read = (path) => readFileSync(new URL(path, import.meta.url), "utf8");

test("the codes of the Rust engine are those of the package", () => {
  const [, union = ""] = /@typedef \{([^}]*)\} ErrorCode/.exec(read("../www/engine/error.js")) ?? [];
  const documented = new Set([...union.matchAll(/"([\w-]+)"/g)].map(([, code]) => code));
  const [, body = ""] = /pub fn code\(&self\)[^]*?\{([^]*?)\n {4}\}/.exec(read("../src/engine/error.rs")) ?? [];
  const engine = [...body.matchAll(/=> "([\w-]+)"/g)].map(([, code]) => code);
  assert.ok(engine.length >= 10, `${engine.length} codes were found`);
  assert.deepEqual(engine.filter((code) => !documented.has(code)), []);
  const readme = read("../npm/README.md");
  assert.deepEqual([...documented].filter((code) => !readme.includes(`\`${code}\``)), []);
});

test("what browsers say when memory runs out has a code and a sentence of its own", () => {
  for (const reason of [
    "RuntimeError: memory access out of bounds",
    "RangeError: Array buffer allocation failed",
    "RangeError: WebAssembly.Memory.grow(): Maximum memory size exceeded",
    "Uncaught InternalError: out of memory",
    // src/web/memory.rs, then the texts of panics that it leaves.
    "Uncaught Error: out of memory: the engine's heap cannot grow any further",
    "panicked at cubecl-wgpu/src/compute/device_poison.rs:42:17:\nwgpu error: Out of Memory",
    "panicked at burn-cubecl/src/lib.rs:1:1:\nout of device memory allocating 268435456 bytes",
    "panicked at burn-cubecl/src/lib.rs:1:1:\ncan't allocate buffer of size: 5000000000",
  ]) {
    const { code, message } = crash(reason);
    assert.equal(code, "out-of-memory", reason);
    assert.match(message, /; take a smaller model, or the other engine$/);
    assert.ok(isCrash(crash(reason)));
  }
  for (const reason of ["RuntimeError: unreachable", "RangeError: Maximum call stack size exceeded", "index out of bounds"]) {
    assert.equal(crash(reason).code, "crashed", reason);
  }
});
