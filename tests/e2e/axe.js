// Accessibility as axe-core sees it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/**
 * It finds nothing wrong.
 * @param {import("playwright-core").Page} page
 * @param {string} state for the message
 */
export async function check(page, state) {
  await page.evaluate(AXE);
  const violations = await page.evaluate(async () => {
    const found = await Reflect.get(window, "axe").run();
    return found.violations.map((/** @type {any} */ { id, nodes }) => [id, ...nodes.map((/** @type {any} */ node) => node.html)]);
  });
  assert.deepEqual(violations, [], state);
}
