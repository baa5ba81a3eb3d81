// What the browser keeps and where it does not: no storage, little room, a second tab, no connection.

import assert from "node:assert/strict";
import { test } from "node:test";
import { serve } from "./site.js";
import { checkAllScales, draw, eventually, open, openForgetful, reach, setUp, shoot } from "./visit.js";

const TINY = "?model=models/tiny/manifest.json&engine=cpu";
const SQUARE = "docs/img/page-drawn.jpg";

const stage = setUp();

/** @typedef {import("playwright-core").Page} Page */

/** Requests for the model's files, the manifest aside. */
const files = () => stage.site.requests.filter(({ path }) => path.startsWith("/models/") && !path.endsWith("manifest.json"));

test("where the browser keeps nothing, the page says so and draws", async () => {
  const { page } = await openForgetful(stage.browser, stage.site.url + TINY);
  await reach(page, "idle");
  assert.match((await page.locator("#note").textContent()) ?? "", /^This browser keeps nothing of the model here, so every visit downloads it again;/);
  await shoot(page, "forgetful");
  await draw(page, "a red apple");
  await checkAllScales(page);
  await page.close();
});

test("a model that may not fit is told before its download, and one that is chosen is asked to stay", async () => {
  const { page, errors } = await open(stage.browser, "about:blank");
  await page.addInitScript(`StorageManager.prototype.persist = async () => Boolean(window.asked = (window.asked ?? 0) + 1);`);
  await page.goto(stage.site.url + TINY);
  await reach(page, "idle");
  await page.evaluate(() => navigator.serviceWorker.ready);
  assert.equal(await page.evaluate(() => Reflect.get(window, "asked")), undefined, "nothing is asked of whoever only looks");
  // Chromium says that there are ten gigabytes, whatever there are; other browsers say what is true.
  await page.evaluate(() => (navigator.storage.estimate = async () => ({ quota: 6_000_000, usage: 5_500_000 })));
  await page.getByRole("button", { name: "Models" }).click();
  await page.getByRole("button", { name: "Built-in model" }).click();
  await page.locator("#model-found").filter({ hasText: /This browser keeps 0\.5 MB more at most: delete what is kept,/ }).waitFor();
  await page.evaluate(() => (navigator.storage.estimate = async () => ({ quota: 60_000_000, usage: 5_500_000 })));
  await page.getByLabel("Address of a manifest").fill("models/tiny/manifest.json");
  await page.getByRole("button", { name: "Look" }).click();
  await page.locator("#model-found").filter({ hasText: /^Tiny random model: .*MIT OR Apache-2\.0\.$/ }).waitFor();
  await page.getByRole("button", { name: "Load this model" }).click();
  await reach(page, "idle");
  assert.equal(await page.evaluate(() => Reflect.get(window, "asked")), 1);
  assert.deepEqual(errors, []);
  await page.close();
});

test("a second tab reads what the first one has open, and downloads nothing", async () => {
  const context = await stage.browser.newContext();
  const [first, second] = [await context.newPage(), await context.newPage()];
  await first.goto(stage.site.url + TINY);
  await reach(first, "idle");
  const taken = await first.workers()[0]?.evaluate(async () => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("weights");
    /** @type {unknown[]} */
    const taken = [];
    for await (const handle of folder.values()) taken.push(await /** @type {any} */ (handle).createSyncAccessHandle());
    Object.assign(self, { taken });
    return taken.length;
  });
  assert.ok(taken && taken > 3, `${taken} files`);
  stage.site.requests.length = 0;
  await second.goto(stage.site.url + TINY);
  await reach(second, "idle");
  assert.deepEqual(files(), []);
  assert.equal(await second.locator("#note").textContent(), "");
  await draw(second, "a red apple");
  await checkAllScales(second);
  await context.close();
});

/** Trains on two objects, from nothing. @param {Page} page @param {number} steps */
async function scratch(page, steps) {
  await page.getByRole("button", { name: "Train", exact: true }).click();
  await page.getByRole("radio", { name: "From scratch" }).check();
  await page.getByLabel("Width").selectOption("64");
  await page.getByLabel("Blocks").selectOption("2");
  await page.getByLabel("Batch", { exact: true }).fill("1");
  await page.getByLabel("Steps", { exact: true }).fill(String(steps));
  await page.getByLabel("Samples every").fill("100");
  await page.getByRole("button", { name: "Start" }).click();
  await page.locator("#train-status").filter({ hasText: `All ${steps} steps are done` }).waitFor({ timeout: 120_000 });
  await reach(page, "idle");
}

test("one tab trains at a time: the second is told, and takes the training over once the first is closed", async () => {
  const context = await stage.browser.newContext();
  const first = await context.newPage();
  await first.goto(stage.site.url + TINY);
  await reach(first, "idle");
  await scratch(first, 3);
  const second = await context.newPage();
  await second.goto(stage.site.url + TINY);
  await reach(second, "idle");
  await second.getByRole("button", { name: "Train", exact: true }).click();
  await second.locator("#train-status").filter({ hasText: "Kept from the last visit after step 3." }).waitFor();
  await second.getByLabel("Steps", { exact: true }).fill("5");
  const told = second.locator("#train-alert").filter({ hasText: /^Another tab of this browser has a training open; go on there, or close it and try again\.$/ });
  for (const name of ["Resume", "Stop"]) {
    await second.getByRole("button", { name, exact: true }).click();
    await told.waitFor();
    await reach(second, "idle");
    await second.locator("#train-alert").evaluate((line) => (line.textContent = ""));
  }
  await first.close();
  await second.getByRole("button", { name: "Resume" }).click();
  await second.locator("#train-status").filter({ hasText: "All 5 steps are done" }).waitFor({ timeout: 60_000 });
  await context.close();
});

test("after the first image everything works without a connection: drawing, editing, the lab with its baseline, training", async () => {
  const own = await serve();
  const context = await stage.browser.newContext();
  const page = await context.newPage();
  await page.goto(own.url + TINY);
  await reach(page, "idle");
  await draw(page, "a red apple");
  // The last that is fetched when there is nothing else to do.
  await eventually(() => page.evaluate(async () => Boolean(await caches.match("sprites.bin"))), "the drawings");
  own.close();
  await page.reload();
  await reach(page, "idle");
  await draw(page, "a green pear");
  await checkAllScales(page);
  await page.getByLabel("Start from an image").setInputFiles(SQUARE);
  await page.locator("#status").filter({ hasText: /^Read into/ }).waitFor({ timeout: 60_000 });
  await reach(page, "idle");
  await page.getByRole("button", { name: "Self-correction" }).click();
  await page.locator("#lab-experiment").waitFor();
  await page.getByLabel("The transformer is conditioned on").fill("a red apple");
  await page.getByLabel("Its teacher-forced baseline").check();
  await page.getByRole("button", { name: "Flip", exact: true }).click();
  await page.locator("#lab-status").filter({ hasText: / with the old residuals/ }).waitFor({ timeout: 90_000 });
  await reach(page, "idle");
  assert.equal(await page.locator("#lab-figures tr").count(), 5);
  await scratch(page, 2);
  await context.close();
});
