// Whoever uses a screen reader, a keyboard, little light or no motion: axe-core on every state of the page.

import assert from "node:assert/strict";
import { test } from "node:test";
import { check } from "./axe.js";
import { draw, open, reach, screenshot, setUp } from "./visit.js";

const TINY = "?model=models/tiny/manifest.json&engine=cpu";

const stage = setUp();

for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
  for (const width of [375, 1600]) {
    test(`axe finds nothing at ${width} pixels in ${colorScheme}`, async () => {
      const viewport = { width, height: width < 500 ? 812 : 1000 };
      const { page } = await open(stage.browser, stage.site.url + TINY, { viewport, colorScheme });
      await reach(page, "idle");
      await check(page, "ready");
      await page.getByText("Advanced").click();
      await page.getByText("Words this model knows").click();
      await draw(page, "a red apple");
      await page.locator("#strip button").nth(2).click();
      await page.getByRole("button", { name: "Keep to here" }).click();
      await page.getByLabel("Paint what is drawn anew").check();
      await page.locator("#gallery li").first().waitFor();
      await check(page, "drawn, kept, painted");
      await screenshot(page, `${width}-${colorScheme}-open`);
      await page.getByLabel("Seed", { exact: true }).fill("x");
      await page.getByRole("button", { name: "Generate" }).click();
      await page.locator("#seed-error").filter({ hasText: "whole" }).waitFor();
      await check(page, "bad input");
      await page.getByLabel("Seed", { exact: true }).fill("1");
      await page.getByRole("radio", { name: "Four images" }).check();
      await draw(page, "a red apple");
      await check(page, "four images");
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(overflow <= 0, `${overflow} px too wide`);
      for (const name of ["Models", "Performance"]) {
        await page.getByRole("button", { name, exact: true }).click();
        await check(page, name);
        await screenshot(page, `${width}-${colorScheme}-${name.toLowerCase()}`);
        await page.keyboard.press("Escape");
      }
      await page.close();
    });
  }
}

test("with reduced motion nothing moves, otherwise what loads does", async () => {
  for (const reducedMotion of /** @type {const} */ (["no-preference", "reduce"])) {
    const { page } = await open(stage.browser, "about:blank", { reducedMotion, serviceWorkers: "block" });
    await page.route("**/manifest.json", () => {}); // never answered
    await page.goto(stage.site.url + TINY);
    await page.locator("#engine").filter({ hasText: "CPU" }).waitFor();
    const moving = await page.evaluate(() => document.getAnimations().length);
    assert.equal(moving > 0, reducedMotion === "no-preference", `${moving} with ${reducedMotion}`);
    await page.close();
  }
});
