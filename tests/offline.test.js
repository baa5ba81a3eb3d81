// The service worker keeps exactly the files that the page is made of.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

/** @param {string} path */
const read = (path) => readFileSync(new URL(path, import.meta.url), "utf8");

test("every script is built into the page and kept for visits without a connection", () => {
  const scripts = readdirSync(new URL("../www", import.meta.url)).filter((name) => name.endsWith(".js"));
  const copied = [...read("../www/index.html").matchAll(/rel="copy-file" href="([^"]+)"/g)].map(([, name]) => name);
  assert.deepEqual(copied.filter((name) => name?.endsWith(".js")).sort(), scripts.sort());
  const lists = [...read("../www/sw.js").matchAll(/const (?:FILES|LATER) = \[([^\]]*)\]/g)].map(([, list]) => list);
  assert.equal(lists.length, 2);
  const kept = [...lists.join().matchAll(/"([^"]+)"/g)].map(([, name]) => name);
  const made = ["./", "infinity-web.js", "infinity-web_bg.wasm", "engine-size.js"];
  assert.deepEqual(kept.sort(), [...copied.filter((name) => name !== "sw.js").map((name) => name?.split("/").at(-1)), ...made].sort());
});
