// A visitor in headless Chromium: opens the page, waits for its states, looks at the pixels.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after, before } from "node:test";
import { chromium } from "playwright-core";
import { serve } from "./site.js";

/** @typedef {import("playwright-core").Page} Page */

const SCREENSHOTS = "target/screenshots";
mkdirSync(SCREENSHOTS, { recursive: true });

/** WebGPU on the software adapter, the only one that every machine has. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--enable-unsafe-webgpu",
      "--use-webgpu-adapter=swiftshader",
      "--disable-background-networking",
      "--no-first-run",
    ],
  });
}

/** The page's server and a browser, there while the tests of a file run. */
export function setUp() {
  const stage = /** @type {{ site: Awaited<ReturnType<typeof serve>>, browser: import("playwright-core").Browser }} */ ({});
  before(async () => {
    stage.site = await serve();
    stage.browser = await launch();
  });
  after(async () => {
    await stage.browser?.close();
    stage.site?.close();
  });
  return stage;
}

/**
 * Opens the page and waits until the model is loaded. Every console error or warning and every failed request is collected.
 * @param {import("playwright-core").Browser} browser
 * @param {string} url
 * @param {import("playwright-core").BrowserContextOptions} [options]
 */
export async function open(browser, url, options) {
  const page = await browser.newPage({ viewport: { width: 1024, height: 800 }, ...options });
  const errors = watch(page);
  await page.goto(url);
  return { page, errors };
}

/**
 * Collects every console error or warning and every failed request of a page.
 * @param {Page} page
 */
export function watch(page) {
  /** @type {string[]} */
  const errors = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("requestfailed", (request) => errors.push(`${request.url()}: ${request.failure()?.errorText}`));
  return errors;
}

/**
 * Waits for `loading`, `idle`, `drawing` or `failed`; a failure that is not waited for ends the wait with what the page says.
 * @param {Page} page
 * @param {string} state
 */
export async function reach(page, state) {
  const reached = page.locator(`body[data-state=${state}], body[data-state=failed]`);
  await reached.waitFor({ state: "attached", timeout: 240_000 });
  if ((await page.locator("body").getAttribute("data-state")) === "failed" && state !== "failed") {
    throw new Error((await page.locator("#alert").textContent()) ?? "failed");
  }
}

/**
 * Types a prompt, generates, waits for the end.
 * @param {Page} page
 * @param {string} prompt
 */
export async function draw(page, prompt) {
  await page.getByLabel("Prompt").fill(prompt);
  await page.getByRole("button", { name: "Generate" }).click();
  await reach(page, "idle");
}

/**
 * Mean and standard deviation of all colour values of a canvas.
 * @param {Page} page
 * @param {string} selector
 */
export function pixels(page, selector) {
  return page.locator(selector).evaluate((canvas) => {
    if (!(canvas instanceof HTMLCanvasElement)) throw new Error("not a canvas");
    // Read from a copy: reading a canvas of the page again and again earns a warning.
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
    copy?.drawImage(canvas, 0, 0);
    const data = copy?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
    const colours = Array.from(data).filter((_, i) => i % 4 !== 3);
    const mean = colours.reduce((a, b) => a + b, 0) / colours.length;
    const variance = colours.reduce((a, b) => a + (b - mean) ** 2, 0) / colours.length;
    return { width: canvas.width, height: canvas.height, mean, deviation: Math.sqrt(variance), colours };
  });
}

/**
 * @param {Page} page
 * @param {string} name
 */
export async function screenshot(page, name) {
  await page.screenshot({ path: `${SCREENSHOTS}/${name}.png`, fullPage: true });
}

/**
 * Every scale has arrived, none is blank, the last is on the canvas.
 * @param {Page} page
 */
export async function checkAllScales(page) {
  const frames = await page.locator("#strip button").count();
  assert.ok(frames >= 3, `${frames} frames`);
  assert.equal(await page.locator("#strip button.arrived").count(), frames);
  const times = await page.locator("#strip .ms").allTextContents();
  for (const time of times) assert.match(time, /^[\d.]+ m?s$/);
  const image = await pixels(page, "#canvas");
  assert.ok(image.width >= 16 && image.height >= 16, `${image.width} x ${image.height}`);
  assert.ok(image.deviation > 2, `the canvas is blank: deviation ${image.deviation}`);
  const first = await pixels(page, "#strip li:first-child canvas");
  assert.notDeepEqual(first.colours, image.colours, "the first scale equals the last");
}
