// Models of the visitor's own: dropped as a folder or as an archive, drawn with, shared from.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { zip } from "../../www/ui/zip.js";
import { checkAllScales, draw, drop, open, reach, setUp } from "./visit.js";

const MODEL = "target/tiny-model";
const WORK = "target/e2e-models";

const stage = setUp();

/** @param {import("playwright-core").Page} page */
async function load(page) {
  await page.locator("#model-found").filter({ hasText: "Tiny random model" }).waitFor();
  await page.getByRole("button", { name: "Load this model" }).click();
  await reach(page, "idle");
  await draw(page, "a red apple");
  await checkAllScales(page);
}

test("a model is dropped as a folder and as an archive, on the page and on the dialog; a link does not name it", async () => {
  rmSync(WORK, { recursive: true, force: true });
  mkdirSync(WORK);
  const own = readdirSync(MODEL, { withFileTypes: true }).filter((entry) => entry.isFile());
  const stored = zip(own.map(({ name }) => ({ name, bytes: new Uint8Array(readFileSync(`${MODEL}/${name}`)) })));
  writeFileSync(`${WORK}/my-model.zip`, new Uint8Array(await stored.arrayBuffer()));
  writeFileSync(`${WORK}/cut.zip`, new Uint8Array(await stored.slice(0, 1000).arrayBuffer()));

  const { page } = await open(stage.browser, `${stage.site.url}?engine=cpu&model=models/nowhere/manifest.json`, {
    permissions: ["clipboard-read", "clipboard-write"],
  });
  await reach(page, "failed");
  stage.site.requests.length = 0;
  await drop(page, ".viewer", [MODEL]);
  await load(page);
  assert.deepEqual(stage.site.requests.filter(({ path }) => path.startsWith("/models/")), []);
  await page.getByRole("button", { name: "Copy link" }).click();
  await page.locator("#note").filter({ hasText: "the link cannot name it: whoever opens the link has to load the same files under Models." }).waitFor();
  assert.equal(new URL(await page.evaluate(() => navigator.clipboard.readText())).searchParams.get("model"), null);

  await page.getByRole("button", { name: "Models" }).click();
  await drop(page, "#models", [`${WORK}/cut.zip`]);
  await page.locator("#model-error").filter({ hasText: "The archive is cut off or none; download it again." }).waitFor();
  await drop(page, "#models", [`${WORK}/my-model.zip`]);
  await load(page);
  assert.deepEqual(stage.site.requests.filter(({ path }) => path.startsWith("/models/")), []);
  await page.close();
});
