// A visitor in headless Chromium: opens the page, waits for its states, looks at the pixels.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { after, before } from "node:test";
import { chromium } from "playwright-core";
import { check } from "./axe.js";
import { serve } from "./site.js";

/** @typedef {import("playwright-core").Page} Page */

const SCREENSHOTS = "target/screenshots";
/** A phone, a small laptop, a wide screen. */
export const WIDTHS = [375, 1024, 1600];
mkdirSync(SCREENSHOTS, { recursive: true });

/**
 * WebGPU on the software adapter, the only one that every machine has.
 * @param {string[]} more arguments of the browser
 */
export function launch(more = []) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--enable-unsafe-webgpu",
      "--use-webgpu-adapter=swiftshader",
      // Buffers that nothing refers to any more are gone once garbage is collected, which a test can then ask for.
      "--js-flags=--expose-gc",
      "--disable-background-networking",
      "--no-first-run",
      ...more,
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
  page.on("requestfailed", (request) => {
    // Those that a reload or the end of a thread breaks off have not failed.
    const reason = request.failure()?.errorText;
    if (reason !== "net::ERR_ABORTED") errors.push(`${request.url()}: ${reason}`);
  });
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
 * Asks again and again, which `waitForFunction` does not where the answer is a promise.
 * @param {() => Promise<boolean>} check
 * @param {string} what is waited for
 */
export async function eventually(check, what) {
  for (const end = Date.now() + 60_000; !(await check()); ) {
    assert.ok(Date.now() < end, `waited too long for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
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
 * Mean and standard deviation of all color values of a canvas.
 * @param {Page} page
 * @param {string} selector
 */
export async function pixels(page, selector) {
  const { text, ...seen } = await page.locator(selector).evaluate((canvas) => {
    if (!(canvas instanceof HTMLCanvasElement)) throw new Error("not a canvas");
    // Read from a copy: reading a canvas of the page again and again earns a warning.
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
    copy?.drawImage(canvas, 0, 0);
    const data = copy?.getImageData(0, 0, canvas.width, canvas.height).data ?? new Uint8ClampedArray();
    const colors = data.filter((_, i) => i % 4 !== 3);
    const mean = colors.reduce((a, b) => a + b, 0) / colors.length;
    const variance = colors.reduce((a, b) => a + (b - mean) ** 2, 0) / colors.length;
    // A million numbers are slow to send and to compare one by one.
    let text = "";
    for (let at = 0; at < colors.length; at += 30_000) text += btoa(String.fromCharCode(...colors.subarray(at, at + 30_000)));
    return { width: canvas.width, height: canvas.height, mean, deviation: Math.sqrt(variance), text };
  });
  return { ...seen, colors: Buffer.from(text, "base64") };
}

/**
 * Looks at the page in every width.
 * @param {Page} page
 * @param {(width: number) => Promise<void>} look
 */
export async function inEveryWidth(page, look) {
  const before = page.viewportSize();
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: width < 500 ? 812 : 900 });
    // What sticks to the window's edge would stand in the middle of a picture of the whole page.
    await page.evaluate(() => scrollTo(0, 0));
    await look(width);
  }
  if (before) await page.setViewportSize(before);
}

/**
 * The state that the page is in, as pictures to look at: one for every width.
 * @param {Page} page
 * @param {string} state
 */
export function shoot(page, state) {
  return inEveryWidth(page, (width) => screenshot(page, `${state}-${width}`));
}

/**
 * axe-core finds nothing, and nothing is wider than the screen.
 * @param {Page} page
 * @param {string} state
 */
export async function accessible(page, state) {
  await check(page, state);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `${state}: ${overflow} px too wide`);
}

/** For the worker: counts the buffers of the GPU device. */
export const COUNTED = `
  self.buffers = { made: 0, bytes: 0 };
  const create = self.GPUDevice?.prototype.createBuffer;
  if (create) GPUDevice.prototype.createBuffer = function (descriptor) {
    self.buffers.made += 1;
    self.buffers.bytes += descriptor.size;
    return create.call(this, descriptor);
  };`;

/** For `addInitScript`: a visitor who saves data, to whom nothing comes unasked. */
export const FRUGAL = `Object.defineProperty(navigator, "connection", { value: { saveData: true } });`;

/**
 * A browser that keeps no files and no records, on the page and in its workers.
 * @param {import("playwright-core").Browser} browser
 * @param {string} url
 */
export async function openForgetful(browser, url) {
  const { page, errors } = await open(browser, "about:blank", { serviceWorkers: "block" });
  const broken = "StorageManager.prototype.getDirectory = () => Promise.reject(new Error('this window keeps nothing'));";
  await page.addInitScript(`${broken} Object.defineProperty(self, "indexedDB", { get() { throw new Error("none"); } });`);
  // Read once: an answer that is fetched for a page that goes away meanwhile is an error of its own.
  const worker = await (await fetch(new URL("worker.js", url))).text();
  await page.route("**/worker.js", (route) => route.fulfill({ contentType: "text/javascript", body: worker + broken }));
  await page.goto(url);
  return { page, errors };
}

/**
 * Drops files or folders of this machine on an element, as a hand does.
 * @param {Page} page
 * @param {string} selector
 * @param {string[]} paths
 */
export async function drop(page, selector, paths) {
  await page.locator(selector).scrollIntoViewIfNeeded();
  const box = await page.locator(selector).boundingBox();
  assert.ok(box);
  const [x, y] = [box.x + box.width / 2, box.y + Math.min(box.height / 2, 40)];
  const tab = await page.context().newCDPSession(page);
  const data = { items: [], files: paths.map((path) => resolve(path)), dragOperationsMask: 1 };
  // The browser drops only where the last move was answered, which it hears of with the next.
  for (const type of /** @type {const} */ (["dragEnter", "dragOver", "dragOver", "dragOver", "drop"])) {
    await tab.send("Input.dispatchDragEvent", { type, x, y, data });
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
  }
  await tab.detach();
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
  assert.notDeepEqual(first.colors, image.colors, "the first scale equals the last");
}
