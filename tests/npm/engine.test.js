// The headless engine, as the package has it.

import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { launch, watch } from "../e2e/visit.js";
import { host, install, printed, progressed } from "./workshop.js";

const MAP = JSON.stringify({
  imports: {
    "infinity-web/engine": "/node_modules/infinity-web/dist/embed/engine.js",
    "infinity-web-emoji": "/node_modules/infinity-web-emoji/index.js",
  },
});

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {import("./workshop.js").Host} */
let site;
/** @type {import("playwright-core").Page} */
let page;
/** @type {string[]} */
let errors;
const folder = install("engine", printed("engine"));
before(async () => {
  browser = await launch();
  site = await host(folder);
  site.replace = (path) => (path === "/" ? `<!doctype html><script type="importmap">${MAP}</script><canvas></canvas>` : undefined);
  page = await browser.newPage();
  errors = watch(page);
  await page.goto(site.url);
  await page.addScriptTag({
    type: "module",
    content: `
      import { Engine, EngineError } from "infinity-web/engine";
      import model from "infinity-web-emoji";
      window.lab = { Engine, EngineError, model, engine: await Engine.load(model, { device: "cpu", cache: "none" }) };`,
  });
  await page.waitForFunction(() => Reflect.get(window, "lab"), null, { timeout: 60_000 });
});
after(async () => {
  await browser?.close();
  site?.close();
});

/**
 * @typedef {object} Lab
 * @property {typeof import("../../www/embed/engine.js").Engine} Engine
 * @property {import("../../www/embed/engine.js").Model} model
 * @property {import("../../www/embed/engine.js").Engine} engine
 */

/**
 * Runs code in the page that has the engine loaded.
 * @template T
 * @param {(lab: Lab) => Promise<T>} code
 * @returns {Promise<T>}
 */
function inside(code) {
  return page.evaluate(`(${code})(lab)`);
}

test("the printed example draws every scale", async () => {
  const own = await browser.newPage();
  /** @type {string[]} */
  const lines = [];
  own.on("console", (message) => lines.push(message.text()));
  await own.goto(site.url);
  await own.addScriptTag({ type: "module", url: "/main.js" });
  for (let i = 0; i < 600 && !lines.includes("scale 5 of 5"); i++) await own.waitForTimeout(50);
  assert.deepEqual(lines.filter((line) => line.startsWith("scale")), [1, 2, 3, 4, 5].map((k) => `scale ${k} of 5`));
  assert.equal(await own.locator("canvas").evaluate((canvas) => /** @type {HTMLCanvasElement} */ (canvas).width), 128);
  await own.close();
});

test("a model says what it is, before and after loading; nothing is kept where the cache is off", async () => {
  const found = await inside(async ({ Engine, model, engine }) => ({
    support: await Engine.detect(),
    inspected: await Engine.inspect(model),
    stored: await Engine.storedBytes(),
    name: engine.model.name,
    shapes: engine.model.aspects.length,
    device: engine.device,
  }));
  assert.equal(found.support.device, "cpu");
  assert.equal(found.support.software, true);
  assert.equal(found.inspected.name, found.name);
  assert.ok(found.inspected.bytes > 1e6);
  assert.equal(found.stored, 0);
  assert.equal(found.shapes, 15);
  assert.deepEqual(found.device, { name: "cpu", reason: "as chosen" });
});

test("decode shows what generate drew, and encode reads a picture that edit draws over", async () => {
  const found = await inside(async ({ engine }) => {
    const all = async (/** @type {AsyncIterable<import("../../www/embed/engine.js").Scale>} */ scales) => {
      const list = [];
      for await (const scale of scales) list.push(scale);
      return list;
    };
    const pixels = (/** @type {{ image: ImageData }[]} */ scales) => Array.from(scales.at(-1)?.image.data ?? []);
    /** @type {number[]} */
    const seeds = [];
    const drawn = await all(engine.generate({ prompt: "a red apple", seed: 7, onStart: ({ seed }) => seeds.push(seed) }));
    const bits = drawn.map(({ bits }) => bits);
    const decoded = await all(engine.decode({ aspect: "1:1", bits }));
    const kept = await all(engine.edit({ aspect: "1:1", bits }, { prompt: "a green pear", seed: 8, scales: 3 }));
    const canvas = new OffscreenCanvas(300, 150);
    canvas.getContext("2d")?.fillRect(50, 20, 90, 90);
    const encoded = await engine.encode(canvas);
    const edited = await all(engine.edit(canvas, { prompt: "a green pear", mask: new Array(5 * 10).fill(0), seed: 1 }));
    return {
      seeds,
      finals: drawn.map((scale) => scale.final),
      same: String(pixels(drawn)) === String(pixels(decoded)),
      kept: kept.map(({ bits }, k) => String(bits) === String(drawn[k]?.bits)),
      encoded: { aspect: encoded.aspect, psnr: encoded.psnr.length, scales: encoded.scales.length, width: encoded.original.width },
      edited: edited.map(({ bits }, k) => String(bits) === String(encoded.bits[k])),
    };
  });
  assert.deepEqual(found.seeds, [7]);
  assert.deepEqual(found.finals, [false, false, false, false, true]);
  assert.ok(found.same);
  assert.deepEqual(found.kept.slice(0, 3), [true, true, true]);
  assert.ok(found.kept.slice(3).includes(false), "nothing was drawn anew");
  assert.deepEqual(found.encoded, { aspect: "2:1", psnr: 5, scales: 5, width: 160 });
  assert.ok(found.edited.every(Boolean), "an empty mask keeps everything");
});

test("flips show their three paths", async () => {
  const found = await inside(async ({ engine }) => {
    const canvas = new OffscreenCanvas(200, 200);
    canvas.getContext("2d")?.fillRect(50, 20, 90, 90);
    const flips = { scales: [1, 2], rate: 0.3, seed: 3 };
    /** @type {Record<string, { flipped: number, error: number, width: number }[]>} */
    const paths = {};
    for await (const { path, deviation, image } of engine.flip(canvas, flips)) {
      (paths[path] ??= []).push({ flipped: deviation.flipped, error: deviation.error, width: image.width });
    }
    return paths;
  });
  assert.deepEqual(Object.keys(found).sort(), ["clean", "flipped", "requantised"]);
  const [clean = [], flipped = [], requantised = []] = [found.clean, found.flipped, found.requantised];
  assert.deepEqual(clean.map(({ flipped, width }) => [flipped, width]), new Array(5).fill([0, 128]));
  assert.ok((flipped[0]?.flipped ?? 0) > 0 && (flipped[2]?.flipped ?? 1) === 0, "the bits of the first two scales flip");
  assert.ok((requantised[4]?.error ?? 1) < (flipped[4]?.error ?? 0), "quantizing again pays a part back");
});

test("an image drawn against another says how far it is from it, scale by scale", async () => {
  const found = await inside(async ({ engine }) => {
    const draw = async (/** @type {Partial<import("../../www/embed/engine.js").GenerateOptions>} */ options) => {
      const scales = [];
      for await (const scale of engine.generate({ prompt: "a red apple", seed: 7, ...options })) scales.push(scale);
      return scales;
    };
    const plain = await draw({});
    const against = plain.map(({ bits }) => bits);
    const flipped = await draw({ against, flips: { scales: [2], rate: 0.3, seed: 1 } });
    const same = await draw({ against });
    return [plain, same, flipped].map((scales) => scales.map(({ deviation }) => deviation?.flipped));
  });
  const [plain = [], same = [], flipped = []] = found;
  assert.deepEqual(plain, new Array(5).fill(undefined));
  assert.deepEqual(same, new Array(5).fill(0));
  assert.ok((flipped[1] ?? 0) > 0 && flipped[0] === 0, String(flipped));
});

test("train learns a picture, ends with its signal and gives a model that draws", async () => {
  const found = await inside(async ({ Engine, model }) => {
    // Of its own: a training keeps others of the same origin out until its engine ends.
    const engine = await Engine.load(model, { device: "cpu", cache: "none" });
    const canvas = new OffscreenCanvas(200, 200);
    canvas.getContext("2d")?.fillRect(50, 20, 90, 90);
    const examples = [{ picture: canvas, caption: "a zorp" }];
    const losses = [];
    const options = { steps: 1000, batch: 1, flips: 0, learningRate: 3e-3 };
    const control = new AbortController();
    let ended = "";
    try {
      for await (const { loss } of engine.train(examples, { ...options, signal: control.signal })) {
        losses.push(loss);
        if (losses.length === 12) control.abort();
      }
    } catch (error) {
      ended = error instanceof Error ? error.name : String(error);
    }
    const files = await engine.trained("Zorps");
    engine.dispose();
    const other = await Engine.load(files, { device: "cpu", cache: "none" });
    const words = [];
    for await (const { k } of other.generate({ prompt: "a zorp", seed: 1, onStart: ({ unknownWords }) => words.push(...unknownWords) })) words.push(k);
    const { name } = other.model;
    other.dispose();
    return { losses, ended, name, words };
  });
  assert.equal(found.losses.length, 12);
  // A step in ten hears no caption, and its loss says little.
  assert.ok(Math.min(...found.losses) < 0.75 * (found.losses[0] ?? 0), String(found.losses));
  assert.equal(found.ended, "AbortError");
  assert.equal(found.name, "Zorps");
  assert.deepEqual(found.words, [1, 2, 3, 4, 5]);
});

test("train shows samples to whoever listens, and ends the drawing of those for nobody", async () => {
  const found = await inside(async ({ Engine, model }) => {
    /** @type {string[]} */
    const events = [];
    const Plain = Worker;
    window.Worker = class extends Plain {
      /** @param {ConstructorParameters<typeof Plain>} given */
      constructor(...given) {
        super(...given);
        this.addEventListener("message", ({ data }) => events.push(data.type));
      }
    };
    const engine = await Engine.load(model, { device: "cpu", cache: "none" });
    window.Worker = Plain;
    const canvas = new OffscreenCanvas(200, 200);
    canvas.getContext("2d")?.fillRect(50, 20, 90, 90);
    const examples = ["a red apple", "a green pear", "a blue car", "a zorp"].map((caption) => ({ picture: canvas, caption }));
    /** @type {string[]} */
    const samples = [];
    /** @param {import("../../www/embed/engine.js").TrainOptions} options */
    const train = async (options) => {
      const steps = [];
      for await (const { step } of engine.train(examples, { steps: 3, batch: 1, ...options })) steps.push(step);
      return steps;
    };
    const heard = await train({
      sampleEvery: 2,
      onSample: ({ step, index, of, prompt, image }) => samples.push(`${step}: ${index} of ${of}, ${prompt}, ${image.width} x ${image.height}`),
    });
    events.length = 0;
    const unheard = await train({});
    const files = await engine.trained("Zorps");
    engine.dispose();
    return { heard, unheard, samples, drawn: events.filter((type) => type === "sampled").length, files: files.length };
  });
  const prompts = ["a red apple", "a green pear", "a blue car", "a zorp"];
  assert.deepEqual(found.samples, [2, 3].flatMap((step) => prompts.map((prompt, i) => `${step}: ${i} of 4, ${prompt}, 128 x 128`)));
  assert.deepEqual([found.heard, found.unheard], [[1, 2, 3], [1, 2, 3]]);
  // One may be done before the cancel arrives.
  assert.ok(found.drawn <= 1, `${found.drawn} samples were drawn for nobody`);
  assert.ok(found.files > 3);
});

test("leaving the loop or aborting ends the work; a second request meanwhile is refused", async () => {
  const found = await inside(async ({ Engine, engine, model }) => {
    const begin = () => engine.generate({ prompt: "a red apple", seed: 1 });
    let left = 0;
    for await (const { k } of begin()) {
      left = k;
      break;
    }
    const first = begin();
    await first.next();
    const busy = await begin().next().catch((error) => error.code);
    await first.return();
    const ending = new AbortController();
    const reason = new Error("enough");
    let seen = 0;
    const aborted = await (async () => {
      for await (const { k } of engine.generate({ prompt: "a red apple", signal: ending.signal })) {
        seen = k;
        ending.abort(reason);
      }
    })().catch((error) => error === reason);
    const early = await engine.generate({ prompt: "x", signal: AbortSignal.abort() }).next().catch((error) => error.name);
    const empty = await engine.generate({ prompt: " " }).next().catch((error) => `${error.name} ${error.code} ${error.field}`);
    const loading = new AbortController();
    const stopped = Engine.load(model, { signal: loading.signal }).catch((error) => error.name);
    loading.abort();
    const nowhere = await Engine.load("no-such-model").catch((error) => error.code);
    const gone = await Engine.load("/nowhere.json").catch((error) => error.code);
    return { left, busy, seen, aborted, early, empty, stopped: await stopped, nowhere, gone };
  });
  assert.deepEqual(found, {
    left: 1, busy: "busy", seen: 1, aborted: true, early: "AbortError", empty: "EngineError prompt-empty prompt",
    stopped: "AbortError", nowhere: "source", gone: "download",
  });
});

test("what is downloaded is kept and told; the next load asks the network for the manifest alone", async () => {
  const own = await browser.newPage();
  await own.goto(site.url);
  site.requests.length = 0;
  const load = () =>
    own.evaluate(async () => {
      const { Engine } = await import(/** @type {any} */ ("infinity-web/engine"));
      const { model } = await import(/** @type {any} */ ("infinity-web-emoji"));
      /** @type {import("../../www/embed/engine.js").Progress[]} */
      const progress = [];
      const engine = await Engine.load(model, { device: "cpu", cache: "opfs", onProgress: (/** @type {any} */ event) => progress.push(event) });
      engine.dispose();
      return { progress, stored: await Engine.storedBytes() };
    });
  const weights = () => site.requests.filter((path) => /safetensors$|tokenizer\.json$/.test(path));
  const first = await load();
  const asked = weights();
  progressed(first.progress, folder, site.requests);
  assert.equal(first.stored, asked.reduce((sum, path) => sum + statSync(join(folder, path)).size, 0));
  const [wasm] = site.requests.filter((path) => path.endsWith(".wasm"));
  site.requests.length = 0;
  const second = await load();
  assert.deepEqual(weights(), []);
  assert.ok(site.requests.some((path) => path.endsWith("/manifest.json")));
  assert.equal(second.stored, first.stored);
  progressed(second.progress, folder, [wasm ?? "", ...asked]);
  const left = await own.evaluate(async () => {
    const { Engine } = await import(/** @type {any} */ ("infinity-web/engine"));
    await Engine.clearStorage();
    return Engine.storedBytes();
  });
  assert.equal(left, 0);
  await own.close();
});

test("WebGPU, asked for by name, draws what the CPU does", async () => {
  const found = await inside(async ({ Engine, engine, model }) => {
    const draw = async (/** @type {import("../../www/embed/engine.js").Engine} */ engine) => {
      let last;
      for await (const scale of engine.generate({ prompt: "a red apple", seed: 7 })) last = scale;
      return Array.from(last?.image.data ?? []);
    };
    const other = await Engine.load(model, { device: "webgpu", cache: "none" });
    const [ours, theirs] = [await draw(engine), await draw(other)];
    other.dispose();
    return { device: other.device, difference: ours.reduce((sum, value, i) => sum + Math.abs(value - (theirs[i] ?? 0)), 0) / ours.length };
  });
  assert.deepEqual(found.device, { name: "webgpu", reason: "as chosen, on a software adapter" });
  assert.ok(found.difference < 1, `${found.difference} of 255 a value`);
});

test("another folder for worker and wasm, on another origin", async (t) => {
  const other = await host(install("engine-elsewhere", {}));
  t.after(() => other.close());
  const baseUrl = `${other.url}node_modules/infinity-web/dist/`;
  site.requests.length = 0;
  const scales = await page.evaluate(async (baseUrl) => {
    const { Engine, model } = /** @type {Lab} */ (Reflect.get(window, "lab"));
    const engine = await Engine.load(model, { baseUrl, cache: "none" });
    let scales = 0;
    for await (const _ of engine.generate({ prompt: "a red apple" })) scales++;
    engine.dispose();
    const after = await engine.generate({ prompt: "a red apple" }).next().catch((error) => error.code);
    return `${scales} ${after}`;
  }, baseUrl);
  assert.equal(scales, "5 disposed");
  assert.ok(other.requests.some((path) => path.endsWith(".wasm")));
  assert.ok(!site.requests.some((path) => path.endsWith(".wasm")));
});

test("no errors were logged, apart from the address that leads nowhere", () => {
  assert.ok(errors.every((error) => /404|nowhere|ERR_ABORTED/.test(error)), errors.join("\n"));
});
