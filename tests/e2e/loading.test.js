// How the model comes and stays: broken connections, damaged copies, no connection at all, other models.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { serve } from "./site.js";
import { COUNTED, FRUGAL, checkAllScales, draw, open, reach, setUp, shoot, watch } from "./visit.js";

const TINY = "?model=models/tiny/manifest.json&engine=cpu";
const MODEL = fileURLToPath(new URL("../../target/tiny-model/", import.meta.url));

const stage = setUp();

/** Requests for the model's files, the manifest aside. */
const files = () => stage.site.requests.filter(({ path }) => path.startsWith("/models/") && !path.endsWith("manifest.json"));

/** What lies in a model's folder, its twin's aside. @param {string} folder */
const filesOf = (folder) => readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile()).map(({ name }) => folder + name);

for (const [what, path, after] of /** @type {const} */ ([["tokenizer", /tokenizer\.json$/, 500_000], ["shard of weights", /00003-of-\d+\.safetensors$/, 100_000]])) {
  test(`a connection that breaks within the ${what} is taken up where it broke`, async () => {
    stage.site.requests.length = 0;
    stage.site.cut = { path, after };
    const { page } = await open(stage.browser, stage.site.url + TINY);
    await reach(page, "idle");
    const resumed = files().filter(({ range }) => range !== "");
    assert.deepEqual(resumed.map((request) => path.test(request.path)), [true]);
    const start = Number(/^bytes=(\d+)-$/.exec(resumed[0]?.range ?? "")?.[1]);
    assert.ok(start > 0 && start <= after, `from ${start}`);
    await draw(page, "a red apple");
    await checkAllScales(page);
    await page.close();
  });
}

test("a server that is gone is told in a sentence", async () => {
  const { page } = await open(stage.browser, `${stage.site.url}?engine=cpu&model=models/nowhere/manifest.json`);
  await reach(page, "failed");
  assert.match((await page.locator("#alert").textContent()) ?? "", /^The manifest could not be loaded \(the server answers 404\);/);
  await shoot(page, "failed");
  await page.close();
});

test("a second visit downloads nothing, a damaged copy is replaced, and all can be deleted", async () => {
  const { page, errors } = await open(stage.browser, stage.site.url + TINY);
  await reach(page, "idle");
  const again = async () => {
    stage.site.requests.length = 0;
    await page.reload();
    await reach(page, "idle");
    return files().map(({ path }) => path);
  };
  assert.deepEqual(await again(), []);
  await page.evaluate(async () => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("weights");
    let [largest, size] = /** @type {[FileSystemFileHandle | undefined, number]} */ ([undefined, 0]);
    for await (const handle of folder.values()) {
      if (handle.kind !== "file") continue;
      const file = await handle.getFile();
      if (file.size > size) [largest, size] = [handle, file.size];
    }
    const writable = await largest?.createWritable({ keepExistingData: true });
    await writable?.write({ type: "write", position: 1000, data: new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]) });
    await writable?.close();
  });
  assert.equal((await again()).length, 1, "the damaged one alone");
  assert.deepEqual(await again(), []);
  await page.getByRole("button", { name: "Models" }).click();
  await page.locator("#stored").filter({ hasText: /^Kept in this browser: [\d.]+ MB of models\. The next visit downloads no model\.$/ }).waitFor();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await page.locator("#stored").filter({ hasText: "Nothing but the page itself is kept" }).waitFor();
  assert.ok((await again()).length > 3);
  assert.deepEqual(errors, []);
  await page.close();
});

test("half a file in the store is completed, not believed", async () => {
  const { page, errors } = await open(stage.browser, stage.site.url + TINY);
  await reach(page, "idle");
  const length = await page.evaluate(async () => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("weights");
    for await (const handle of folder.values()) {
      if (handle.kind !== "file") continue;
      const { size } = await handle.getFile();
      if (size < 100_000) continue;
      const writable = await handle.createWritable({ keepExistingData: true });
      await writable.truncate(size >> 1);
      await writable.close();
      return size >> 1;
    }
    return 0;
  });
  stage.site.requests.length = 0;
  await page.reload();
  await reach(page, "idle");
  assert.deepEqual(stage.site.requests.filter(({ range }) => range).map(({ range }) => range), [`bytes=${length}-`]);
  assert.deepEqual(errors, []);
  await page.close();
});

test("after the first visit the page works without any connection", async () => {
  const own = await serve();
  const context = await stage.browser.newContext();
  const page = await context.newPage();
  await page.goto(own.url + TINY);
  await reach(page, "idle");
  await page.evaluate(() => navigator.serviceWorker.ready);
  await draw(page, "a red apple");
  own.close();
  await page.reload();
  await reach(page, "idle");
  await draw(page, "a green pear");
  await checkAllScales(page);
  await context.close();
});

test("another model is described before it is downloaded, by address and from the visitor's disk", async () => {
  const { page, errors } = await open(stage.browser, `${stage.site.url}${TINY}`);
  await reach(page, "idle");
  await page.getByRole("button", { name: "Models" }).click();
  stage.site.requests.length = 0;
  await page.getByLabel("Address of a manifest").fill("models/tiny/manifest.json");
  await page.getByRole("button", { name: "Look" }).click();
  await page.locator("#model-found").filter({ hasText: /^Tiny random model: [\d,]+ parameters, 2\.\d MB to download, about \d+ MB of memory, MIT/ }).waitFor();
  assert.deepEqual(files(), []);
  await shoot(page, "models");
  await page.getByRole("button", { name: "Load this model" }).click();
  await reach(page, "idle");
  await page.getByRole("button", { name: "Models" }).click();
  await page.getByLabel("Address of a manifest").fill("style.css");
  await page.getByRole("button", { name: "Look" }).click();
  await page.locator("#model-error").filter({ hasText: "not a model's manifest" }).waitFor();
  const chosen = filesOf(MODEL);
  await page.getByLabel("Files on this device").setInputFiles(chosen);
  await page.locator("#model-found").filter({ hasText: "Tiny random model" }).waitFor();
  stage.site.requests.length = 0;
  await page.getByRole("button", { name: "Load this model" }).click();
  await reach(page, "loading");
  await reach(page, "idle");
  await draw(page, "a red apple");
  await checkAllScales(page);
  assert.deepEqual(stage.site.requests.filter(({ path }) => path.startsWith("/models/")), []);
  assert.deepEqual(errors, []);
  await page.close();
});

test("a model of another host can be chosen, although the page itself may ask no other", async () => {
  const other = await serve();
  const { page, errors } = await open(stage.browser, `${stage.site.url}?engine=cpu&model=${encodeURIComponent(`${other.url}models/tiny/manifest.json`)}`);
  await reach(page, "idle");
  await draw(page, "a red apple");
  await checkAllScales(page);
  assert.ok(other.requests.length > 5);
  assert.deepEqual(errors, []);
  const refused = await page.evaluate((url) => fetch(url).then(() => false, () => true), `${other.url}style.css`);
  assert.ok(refused, "the page's own policy");
  other.close();
  await page.close();
});

test("with full storage the model is drawn with all the same, and the visitor is told", async () => {
  const { page } = await open(stage.browser, "about:blank");
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Storage.overrideQuotaForOrigin", { origin: new URL(stage.site.url).origin, quotaSize: 400_000 });
  await page.goto(stage.site.url + TINY);
  await reach(page, "idle");
  assert.match((await page.locator("#note").textContent()) ?? "", /storage is full/);
  await draw(page, "a red apple");
  await checkAllScales(page);
  await page.close();
});

test("files that are not all there are named", async () => {
  const { page } = await open(stage.browser, `${stage.site.url}${TINY}`);
  await reach(page, "idle");
  await page.getByRole("button", { name: "Models" }).click();
  const some = filesOf(MODEL).filter((path) => !path.includes("00003"));
  await page.getByLabel("Files on this device").setInputFiles(some);
  await page.getByRole("button", { name: "Load this model" }).click();
  await reach(page, "failed");
  assert.match((await page.locator("#alert").textContent()) ?? "", /00003-of.*it is not among the chosen files/);
  await page.close();
});

/**
 * A page whose worker runs `spy` first and asks for nothing unasked.
 * @param {string} spy
 * @param {"webgpu" | "cpu" | "auto"} [engine] an automatic choice takes the software adapter for a graphics card
 */
async function spied(spy, engine = "webgpu") {
  const { page } = await open(stage.browser, "about:blank", { serviceWorkers: "block" });
  await page.addInitScript(FRUGAL);
  await page.route("**/worker.js", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: (await response.text()) + spy });
  });
  await page.route("**/device.js", async (route) => {
    const response = await route.fetch();
    const real = await response.text();
    const body = real.replace(/const software = .*;/, "const software = false;");
    assert.notEqual(body, real);
    await route.fulfill({ response, body: engine === "auto" ? body : real });
  });
  await page.goto(`${stage.site.url}?model=models/tiny/manifest.json&engine=${engine}`);
  await reach(page, "idle");
  return page;
}

/** Hands the engine's own device to the test, to destroy it. */
const CAUGHT = `
  const request = GPUAdapter.prototype.requestDevice;
  GPUAdapter.prototype.requestDevice = async function (...given) {
    return (self.device = await request.apply(this, given));
  };`;

test("WebGPU that was chosen by itself and fails while it draws hands over to the CPU", async () => {
  const page = await spied(CAUGHT, "auto");
  assert.match((await page.locator("#engine").textContent()) ?? "", /^WebGPU engine: /);
  await page.getByLabel("Prompt").fill("a red apple");
  await page.getByRole("button", { name: "Generate" }).click();
  await page.locator("#strip .arrived").first().waitFor({ timeout: 60_000 });
  await page.workers()[0]?.evaluate(() => Reflect.get(self, "device").destroy());
  await page.locator("#status").filter({ hasText: "WebGPU failed, so the CPU engine took over." }).waitFor({ timeout: 60_000 });
  assert.match((await page.locator("#engine").textContent()) ?? "", /^CPU engine: /);
  await draw(page, "a red apple");
  await checkAllScales(page);
  await page.close();
});

for (const [how, spy] of [
  ["refuses a device", "GPUAdapter.prototype.requestDevice = async () => { throw new Error('a test has no device'); };"],
  ["crashes", "GPUAdapter.prototype.requestDevice = () => new Promise(() => setTimeout(() => { throw new Error('a test crashes'); }));"],
]) {
  test(`WebGPU that was chosen by itself and ${how} while it loads hands over to the CPU`, async () => {
    const page = await spied(spy ?? "", "auto");
    await page.locator("#status").filter({ hasText: "WebGPU failed while loading, so the CPU engine took over." }).waitFor({ timeout: 60_000 });
    assert.match((await page.locator("#engine").textContent()) ?? "", /^CPU engine: /);
    await draw(page, "a red apple");
    await checkAllScales(page);
    await page.close();
  });
}

test("a lost graphics device is told in a line, and the engine comes back with the history", async () => {
  const page = await spied(CAUGHT);
  await draw(page, "a red apple");
  await page.locator("#gallery li").first().waitFor();
  stage.site.requests.length = 0;
  await page.getByRole("button", { name: "Generate" }).click();
  await page.locator("#strip .arrived").first().waitFor();
  await page.workers()[0]?.evaluate(() => Reflect.get(self, "device").destroy());
  await page.locator("#status").filter({ hasText: "started again" }).waitFor({ timeout: 60_000 });
  await reach(page, "idle");
  assert.deepEqual(files(), [], "it came from the cache");
  assert.equal(await page.locator("#gallery li").count(), 1, "the image before is there, the one that broke off is not");
  await draw(page, "a red apple");
  await checkAllScales(page);
  await page.waitForFunction(() => document.querySelectorAll("#gallery li").length === 2);
  await page.close();
});

/** The page's own heap after a collection of garbage, in bytes. @param {import("playwright-core").Page} page */
async function pageHeap(page) {
  const tab = await page.context().newCDPSession(page);
  await tab.send("HeapProfiler.collectGarbage");
  const { usedSize } = await tab.send("Runtime.getHeapUsage");
  await tab.detach();
  return usedSize;
}

for (const engine of /** @type {const} */ (["cpu", "webgpu"])) {
  test(`fifty images in a row take no more memory than the first ones: ${engine}`, async () => {
    const page = await spied(COUNTED, engine);
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    const memory = async () => {
      await page.getByRole("button", { name: "Performance" }).click();
      await page.getByRole("button", { name: "Copy as JSON" }).click();
      await page.getByRole("button", { name: "Copied" }).waitFor();
      const figures = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
      await page.locator("#performance-close").click();
      assert.equal(figures.lastImage.tokens, 121);
      assert.equal(figures.lastImage.scales.length, 5);
      assert.ok(figures.lastImage.tokensPerSecond > 0 && figures.loadMs > 0);
      const buffers = await page.workers()[0]?.evaluate(() => Reflect.get(self, "buffers"));
      return { wasm: Number(figures.wasmHeapBytes), buffers };
    };
    for (let i = 0; i < 5; i++) await draw(page, "a red apple");
    const [early, heap] = [await memory(), await pageHeap(page)];
    assert.ok(early.wasm > 1e6);
    assert.equal(early.buffers.bytes > 1e6, engine === "webgpu", JSON.stringify(early));
    for (let i = 0; i < 45; i++) await draw(page, "a red apple");
    assert.deepEqual(await memory(), early);
    // The history has 45 entries more: a kilobyte of bits and an element each. The pixels of one image are 64 kB a scale.
    const grown = (await pageHeap(page)) - heap;
    console.log(`the page's heap on ${engine}: ${(heap / 1e6).toFixed(1)} MB, after 45 images more ${(grown / 1e6).toFixed(2)} MB above it`);
    assert.ok(grown < 1.5e6, `the page's heap grew by ${grown} bytes`);
    await page.close();
  });
}

for (const engine of ["cpu", "webgpu"]) {
  test(`a tab that the browser freezes goes on drawing when it is seen again: ${engine}`, async () => {
    const { page, errors } = await open(stage.browser, `${stage.site.url}?model=models/tiny/manifest.json&engine=${engine}`);
    await reach(page, "idle");
    await draw(page, "a red apple");
    const tab = await page.context().newCDPSession(page);
    await page.getByRole("radio", { name: "Four images" }).check();
    await page.getByRole("button", { name: "Generate" }).click();
    await tab.send("Page.setWebLifecycleState", { state: "frozen" });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await tab.send("Page.setWebLifecycleState", { state: "active" });
    await reach(page, "idle");
    await page.waitForFunction(() => document.querySelectorAll("#gallery li").length === 5);
    await checkAllScales(page);
    assert.deepEqual(errors, []);
    await page.close();
  });
}

test("the dialog about models says what WebGPU lacks here", async () => {
  const { page } = await open(stage.browser, stage.site.url + TINY);
  watch(page);
  await reach(page, "idle");
  await page.getByRole("button", { name: "Models" }).click();
  await page.locator("#engine-checks li").filter({ hasText: "software adapter" }).waitFor();
  await page.close();
});
