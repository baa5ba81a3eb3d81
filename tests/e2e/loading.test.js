// How the model comes and stays: broken connections, damaged copies, no connection at all, other models.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { serve } from "./site.js";
import { COUNTED, FRUGAL, checkAllScales, draw, open, reach, setUp, shoot, watch } from "./visit.js";

const TINY = "?model=models/tiny/manifest.json&engine=cpu";
const CLIPBOARD = { permissions: ["clipboard-read", "clipboard-write"] };
const MODEL = fileURLToPath(new URL("../../target/tiny-model/", import.meta.url));

const stage = setUp();

/** Requests for the model's files, the manifest aside. */
const files = () => stage.site.requests.filter(({ path }) => path.startsWith("/models/") && !path.endsWith("manifest.json"));

/** What lies in a model's folder, its baseline's aside. @param {string} folder */
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

/** What the performance dialog copies. @param {import("playwright-core").Page} page */
async function figures(page) {
  await page.getByRole("button", { name: "Performance" }).click();
  await page.getByRole("button", { name: "Copy as JSON" }).click();
  await page.getByRole("button", { name: "Copied" }).waitFor();
  const figures = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
  await page.locator("#performance-close").click();
  return figures;
}

test("while a model of many shards loads onto WebGPU, the heap holds one of them and little else", async () => {
  /** @type {{ shards: { bytes: number }[] }} */
  const { shards } = JSON.parse(readFileSync(`${MODEL}many/manifest.json`, "utf8"));
  const sizes = shards.map(({ bytes }) => bytes);
  const bound = Math.max(...sizes) + 64e6;
  const all = sizes.reduce((sum, bytes) => sum + bytes, 0);
  assert.ok(sizes.length > 20 && all > bound, `${all} bytes in ${sizes.length} shards would fit in any case`);
  const { page, errors } = await open(stage.browser, `${stage.site.url}?model=models/tiny/many/manifest.json&engine=webgpu`, CLIPBOARD);
  await reach(page, "idle");
  const { loadHeapBytes, loadHeapBound, wasmHeapBytes, deviceBytes } = await figures(page);
  console.log(`${(all / 1e6).toFixed(1)} MB of weights, a heap of ${(loadHeapBytes / 1e6).toFixed(1)} MB, at most ${(bound / 1e6).toFixed(1)}`);
  assert.equal(loadHeapBound, bound);
  assert.ok(loadHeapBytes > 1e6 && loadHeapBytes <= bound, `${loadHeapBytes} bytes where ${bound} are allowed`);
  assert.equal(wasmHeapBytes, loadHeapBytes);
  // Stored in two bytes, computed with in four.
  assert.ok(deviceBytes >= 1.9 * all, `${deviceBytes} bytes on the device`);
  await page.getByRole("button", { name: "Performance" }).click();
  await page.locator("#performance-figures").filter({ hasText: /Peak heap while loading[\d.]+ of at most [\d.]+ MB/ }).waitFor();
  assert.deepEqual(errors, []);
  await page.close();
});

test("a loading can be stopped, and begun again", async () => {
  const own = await serve();
  // The answer stands still, and breaks off only later.
  own.cut = { path: /weights-00002.*safetensors$/, after: 1000 };
  const { page } = await open(stage.browser, own.url + TINY);
  await page.getByRole("button", { name: "Stop" }).click();
  await reach(page, "failed");
  assert.equal(await page.locator("#status").textContent(), "Loading was stopped.");
  assert.equal(await page.locator("#alert").isVisible(), false);
  await page.getByRole("button", { name: "Try again" }).click();
  await reach(page, "idle");
  await draw(page, "a red apple");
  await checkAllScales(page);
  await page.close();
  own.close();
});

/**
 * A wasm module whose memory may grow by so many pages of 64 kB at most.
 * @param {Buffer} wasm
 * @param {number} growth
 */
function limited(wasm, growth) {
  let at = 8;
  const number = () => {
    for (let value = 0, shift = 0; ; shift += 7) {
      const byte = wasm[at++] ?? 0;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  /** @param {number} value @returns {number[]} */
  const bytes = (value) => (value < 128 ? [value] : [(value & 127) | 128, ...bytes(value >> 7)]);
  for (;;) {
    const start = at;
    const [id, size] = [wasm[at++], number()];
    if (id === 5) {
      const end = at + size;
      at += 2; // one memory, without a limit
      const pages = number();
      const memory = [1, 1, ...bytes(pages), ...bytes(pages + growth)];
      return Buffer.concat([wasm.subarray(0, start), Buffer.from([5, ...bytes(memory.length), ...memory]), wasm.subarray(end)]);
    }
    at += size;
  }
}

test("a heap that cannot grow is told as what it is", async () => {
  const { page } = await open(stage.browser, "about:blank", { serviceWorkers: "block" });
  await page.route("**/infinity-web_bg.wasm", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: limited(await response.body(), 16) });
  });
  await page.goto(stage.site.url + TINY);
  await reach(page, "failed");
  assert.match((await page.locator("#alert").textContent()) ?? "", /^The engine ran out of memory; load a smaller model/);
  await page.close();
});

/**
 * A page whose worker runs `spy` first and asks for nothing unasked.
 * @param {string} spy
 * @param {"webgpu" | "cpu" | "auto"} [engine] an automatic choice takes the software adapter for a GPU
 * @param {string} [model] where it is, if not the tiny one
 */
async function spied(spy, engine = "webgpu", model = "models/tiny/manifest.json") {
  const { page } = await open(stage.browser, "about:blank", { serviceWorkers: "block", ...CLIPBOARD });
  await page.addInitScript(FRUGAL);
  await page.route("**/worker.js", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: (await response.text()) + spy });
  });
  await page.route("**/device.js", async (route) => {
    const response = await route.fetch();
    const real = await response.text();
    const body = real.replace("const { software } = named(info);", "const software = false;");
    assert.notEqual(body, real);
    await route.fulfill({ response, body: engine === "auto" ? body : real });
  });
  await page.goto(`${stage.site.url}?model=${model}&engine=${engine}`);
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

test("a lost GPU device is reported in a line, and the engine comes back with the history", async () => {
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

test("a GPU that is out of memory is reported as such, and the engine comes back", async () => {
  // The tests' adapter never is, so a buffer is answered as a full one does.
  const page = await spied(`
    const create = GPUDevice.prototype.createBuffer;
    GPUDevice.prototype.createBuffer = function (descriptor) {
      if (self.full) {
        const error = new GPUOutOfMemoryError("a test has no memory left");
        setTimeout(() => this.dispatchEvent(new GPUUncapturedErrorEvent("uncapturederror", { error })));
      }
      return create.call(this, descriptor);
    };`);
  await page.workers()[0]?.evaluate(() => Reflect.set(self, "full", true));
  await page.getByLabel("Prompt").fill("a red apple");
  await page.getByRole("button", { name: "Generate" }).click();
  await page.locator("#status").filter({ hasText: "The engine ran out of memory; load a smaller model" }).waitFor({ timeout: 60_000 });
  await draw(page, "a red apple");
  await checkAllScales(page);
  await page.close();
});

test("timed: Stop is answered at once on WebGPU, and the device comes to rest within a few layers", async () => {
  const page = await spied(CAUGHT, "webgpu", "models/default/manifest.json");
  await draw(page, "a red apple");
  await draw(page, "a red apple");
  const whole = Number((await figures(page)).lastImage.totalMs);
  await page.getByRole("button", { name: "Generate" }).click();
  await page.locator("#status").filter({ hasText: /^Scale 3 of 5/ }).waitFor();
  // The finest two scales are most of an image, and are still to come.
  const answered = await page.evaluate(async () => {
    const began = performance.now();
    document.getElementById("stop")?.click();
    while (document.body.dataset.state !== "idle") await new Promise((resolve) => setTimeout(resolve));
    return performance.now() - began;
  });
  const began = performance.now();
  await page.workers()[0]?.evaluate(() => Reflect.get(self, "device").queue.onSubmittedWorkDone());
  const rested = answered + performance.now() - began;
  console.log(`an image takes ${Math.round(whole)} ms; a stop is answered after ${Math.round(answered)}, the device at rest after ${Math.round(rested)}`);
  assert.match((await page.locator("#status").textContent()) ?? "", /^Stopped after scale [34]\.$/);
  assert.ok(answered < whole / 20, `answered after ${answered} ms, where an image takes ${whole} ms`);
  assert.ok(rested < whole / 4, `the device went on for ${rested} ms, where an image takes ${whole} ms`);
  await draw(page, "a red apple");
  await checkAllScales(page);
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
    const memory = async () => {
      const { wasmHeapBytes, deviceBytes, firstImage, lastImage, loadMs } = await figures(page);
      assert.equal(lastImage.tokens, 121);
      assert.equal(lastImage.scales.length, 5);
      assert.ok(lastImage.tokensPerSecond > 0 && loadMs > 0 && firstImage.totalMs > 0);
      assert.notDeepEqual(firstImage, lastImage);
      assert.equal(deviceBytes > 1e6, engine === "webgpu", `${deviceBytes} bytes on the device`);
      const buffers = await page.workers()[0]?.evaluate(() => Reflect.get(self, "buffers"));
      return { wasm: Number(wasmHeapBytes), device: deviceBytes, buffers };
    };
    for (let i = 0; i < 5; i++) await draw(page, "a red apple");
    const [early, heap] = [await memory(), await pageHeap(page)];
    assert.ok(early.wasm > 1e6);
    assert.equal(early.buffers.bytes > 1e6, engine === "webgpu", JSON.stringify(early));
    for (let i = 0; i < 45; i++) await draw(page, "a red apple");
    const late = await memory();
    assert.equal(late.wasm, early.wasm);
    // A pool makes another page where the device happened to lag behind once more than before. The running sum of one image, never
    // freed, would be more than this after so many.
    const more = late.buffers.bytes - early.buffers.bytes;
    assert.ok(more <= 128 << 10 && late.device - early.device <= 128 << 10, `${JSON.stringify(late)}, before ${JSON.stringify(early)}`);
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
