// Whoever uses a screen reader, a keyboard, little light or no motion: axe-core on every state of the page.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accessible, draw, inEveryWidth, open, reach, screenshot, setUp, shoot } from "./visit.js";

const TINY = "?model=models/tiny/manifest.json&engine=cpu";

const stage = setUp();

for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
  test(`axe finds nothing at any width in ${colorScheme}`, async () => {
    const { page } = await open(stage.browser, stage.site.url + TINY, { colorScheme });
    await reach(page, "idle");
    const check = (/** @type {string} */ state, /** @type {string} */ name = "") =>
      inEveryWidth(page, async (width) => {
        await accessible(page, `${state} at ${width} pixels`);
        if (name) await screenshot(page, `${name}-${colorScheme}-${width}`);
      });
    await check("ready", "ready");
    await page.getByText("Advanced").click();
    await page.getByText("Words this model knows").click();
    await draw(page, "a red apple");
    await page.locator("#strip button").nth(2).click();
    await page.getByRole("button", { name: "Keep to here" }).click();
    await page.getByLabel("Paint an edit mask").check();
    await page.locator("#gallery li").first().waitFor();
    await check("drawn, kept, painted", "open");
    await page.getByLabel("Seed", { exact: true }).fill("x");
    await page.getByRole("button", { name: "Generate" }).click();
    await page.locator("#seed-error").filter({ hasText: "whole" }).waitFor();
    await check("bad input");
    await page.getByLabel("Seed", { exact: true }).fill("1");
    await page.getByRole("radio", { name: "Four images" }).check();
    await draw(page, "a red apple");
    await check("four images");
    for (const name of ["Models", "Performance"]) {
      await page.getByRole("button", { name, exact: true }).click();
      await check(name, name.toLowerCase());
      await page.keyboard.press("Escape");
    }
    await page.close();
  });
}

test("with reduced motion nothing moves, otherwise what loads does", async () => {
  for (const reducedMotion of /** @type {const} */ (["no-preference", "reduce"])) {
    const { page } = await open(stage.browser, "about:blank", { reducedMotion, serviceWorkers: "block" });
    await page.route("**/manifest.json", () => {}); // never answered
    await page.goto(stage.site.url + TINY);
    await page.locator("#engine").filter({ hasText: "CPU" }).waitFor();
    const moving = await page.evaluate(() => document.getAnimations().length);
    assert.equal(moving > 0, reducedMotion === "no-preference", `${moving} with ${reducedMotion}`);
    if (reducedMotion === "reduce") await shoot(page, "loading");
    await page.close();
  }
});
