// On WebGPU every operation of the shipped model has a kernel: no reference implementation runs because one did not fit.

import assert from "node:assert/strict";
import { test } from "node:test";
import { draw, open, reach, setUp } from "./visit.js";

const stage = setUp();

/** What the performance dialog copies. @param {import("playwright-core").Page} page */
async function fallbacks(page) {
  await page.getByRole("button", { name: "Performance" }).click();
  await page.getByRole("button", { name: "Copy as JSON" }).click();
  await page.getByRole("button", { name: "Copied" }).waitFor();
  const figures = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
  const shown = await page.locator("#performance-figures").textContent();
  await page.locator("#performance-close").click();
  return { ...figures.fallbacks, shown };
}

test("neither an image nor a training step of the shipped model falls back to a reference on WebGPU", async () => {
  const clipboard = { permissions: ["clipboard-read", "clipboard-write"] };
  const { page, errors } = await open(stage.browser, `${stage.site.url}?engine=webgpu`, clipboard);
  await reach(page, "idle");
  const before = await fallbacks(page);
  assert.deepEqual([before.image, before.step], [null, null]);
  await page.getByLabel("Seed", { exact: true }).fill("1");
  await draw(page, "a red apple");
  const drawn = await fallbacks(page);
  assert.deepEqual([drawn.image, drawn.step], [[], null]);
  assert.match(drawn.shown, /Kernel fallbacks, last image0/);

  await page.getByRole("button", { name: "Train", exact: true }).click();
  await page.getByLabel("Add pictures").setInputFiles("www/sample.png");
  await page.getByLabel("Caption of picture 1").fill("a red apple");
  await page.getByLabel("Batch", { exact: true }).fill("1");
  await page.getByLabel("Samples every").fill("1000");
  await page.getByLabel("Steps", { exact: true }).fill("1");
  await page.getByRole("button", { name: "Start" }).click();
  const done = () => parseInt(document.getElementById("train-step")?.textContent ?? "0") === 1;
  await page.waitForFunction(done, undefined, { timeout: 240_000 });
  await reach(page, "idle");
  const trained = await fallbacks(page);
  assert.deepEqual(trained.step, []);
  assert.match(trained.shown, /Kernel fallbacks, last training step0/);
  assert.deepEqual(errors, []);
  await page.close();
});
