// The self-correction lab in headless Chromium, with the tiny random model and its baseline.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { FRUGAL, accessible, draw, drop, inEveryWidth, open, pixels, reach, screenshot, setUp, shoot } from "./visit.js";

const TINY = "?model=models/tiny/manifest.json&engine=cpu";
const SCALES = 5;
/** A picture of this project, to bring along. */
const SQUARE = "docs/img/page-drawn.jpg";

const stage = setUp();

/** @typedef {import("playwright-core").Page} Page */

/**
 * Draws an apple and takes it to the lab.
 * @param {string} [query]
 * @param {import("playwright-core").BrowserContextOptions} [options]
 * @param {string} [script] that runs first
 */
async function visit(query = TINY, options, script = "") {
  const visitor = await open(stage.browser, "about:blank", options);
  const { page } = visitor;
  await page.addInitScript(script);
  await page.goto(stage.site.url + query);
  await reach(page, "idle");
  await page.getByLabel("Seed", { exact: true }).fill("1");
  await draw(page, "a red apple");
  await page.getByRole("button", { name: "Self-correction" }).click();
  return visitor;
}

/** Waits for the end of what the lab does. @param {Page} page */
async function ended(page) {
  await page.locator("#lab-status").filter({ hasText: / with the old residuals/ }).waitFor({ timeout: 90_000 });
  await reach(page, "idle");
}

/** @param {Page} page */
async function flip(page) {
  await page.locator("#lab-status").evaluate((status) => (status.textContent = ""));
  await page.getByRole("button", { name: "Flip", exact: true }).click();
  await ended(page);
}

/** @param {Page} page @param {string} name of a row @param {number} k */
const cell = (page, name, k) => page.getByRole("group", { name, exact: true }).getByRole("button").nth(k - 1);

/** Bits flipped, distance and PSNR of every path. @param {Page} page */
async function figures(page) {
  const rows = await page.locator("#lab-figures tr").all();
  const read = rows.map(async (row) => {
    const [bits, error, psnr] = await row.locator("td").allTextContents();
    return { name: await row.locator("th").textContent(), bits: Number(bits), error: Number(error), psnr: psnr ?? "" };
  });
  return Promise.all(read);
}

/** Bits that differ, as a cell says. @param {Page} page @param {string} name @param {number} k */
async function differing(page, name, k) {
  const label = (await cell(page, name, k).locator(".unseen").textContent()) ?? "";
  assert.match(label, new RegExp(`^${name}, scale ${k}: (\\d+ of \\d+ bits differ, [\\d.]+ %|no bit differs)`));
  return Number(/(\d+) of/.exec(label)?.[1] ?? 0);
}

test("flips are compared on every path, and the transformer goes on from them", async () => {
  const { page, errors } = await visit();
  assert.equal(await page.getByRole("button", { name: "Generate" }).count(), 0, "the form has made room");
  assert.match((await page.locator("#lab-said").textContent()) ?? "", /^A red apple, seed 1\.$/i);
  const image = (await pixels(page, "#canvas")).colors;
  await flip(page);
  const found = await figures(page);
  assert.deepEqual(found.map(({ name }) => name), ["Clean path", "Old residuals", "Re-quantized", "Transformer, flipped"]);
  const [clean, kept, paid, model] = found;
  assert.ok(clean && kept && paid && model);
  assert.deepEqual([clean.bits, clean.error, clean.psnr], [0, 0, "no loss"]);
  // A fifth of the bits of two scales: 4 and 16 tokens of 16 bits.
  assert.ok(kept.bits > 35 && kept.bits < 95, `${kept.bits} bits`);
  assert.deepEqual([paid.bits, model.bits], [kept.bits, kept.bits]);
  assert.ok(paid.error < kept.error, `${paid.error} and ${kept.error}`);
  for (const { psnr } of [kept, paid, model]) assert.match(psnr, /^[\d.]+ dB$/);
  for (let k = 1; k <= SCALES; k++) {
    const [old, answer] = [await differing(page, "Old residuals", k), await differing(page, "Re-quantized", k)];
    assert.equal(old > 0, k === 2 || k === 3, `scale ${k}: ${old}`);
    assert.equal(answer > 0, k > 1, `scale ${k}: ${answer}`);
    assert.equal((await differing(page, "Transformer, flipped", k)) > 0, k > 1);
    assert.equal(await differing(page, "Transformer, no flips", k), 0);
  }
  // Every cell says how like its picture is to the whole one, the last as the table does.
  for (const [row, { psnr }] of /** @type {const} */ ([["Old residuals", kept], ["Re-quantized", paid]])) {
    const said = await page.getByRole("group", { name: row, exact: true }).locator(".lab-psnr").allTextContents();
    assert.equal(said.length, SCALES);
    for (const text of said) assert.match(text, /^[\d.]+ dB$/);
    assert.equal(said.at(-1), psnr);
    assert.match((await cell(page, row, 2).getAttribute("title")) ?? "", new RegExp(`, PSNR ${said[1]}$`));
  }
  assert.deepEqual((await pixels(page, ".lab-row:nth-child(1) button:nth-child(6) canvas")).colors, image);
  // The same seed draws the same image again, so the transformer's own path begins where the image was.
  assert.deepEqual((await pixels(page, ".lab-row:nth-child(4) button:nth-child(6) canvas")).colors, image);
  assert.notDeepEqual((await pixels(page, ".lab-row:nth-child(5) button:nth-child(6) canvas")).colors, image);
  const points = await page.locator("#lab-plot polyline").evaluateAll((lines) => lines.map((line) => line.getAttribute("points")));
  assert.deepEqual(points.map((list) => list?.split(" ").length), [SCALES, SCALES, SCALES, SCALES]);
  assert.match((await page.locator("#lab-plot svg").getAttribute("aria-label")) ?? "", /Clean path 0\.000, Old residuals 0\.\d+/);

  // A change is gray where nothing moved, bits show where they differ.
  await page.getByRole("radio", { name: "Change" }).check();
  const still = await pixels(page, ".lab-row:nth-child(2) button:nth-child(2) canvas");
  assert.deepEqual([still.mean, still.deviation], [128, 0]);
  assert.ok((await pixels(page, ".lab-row:nth-child(2) button:nth-child(6) canvas")).deviation > 5);
  await page.getByRole("radio", { name: "Bits" }).check();
  await cell(page, "Old residuals", 3).click();
  assert.match((await page.locator("#lab-bits-said").textContent()) ?? "", /^Scale 3: \d+ of 256 bits flipped \([\d.]+ %\)\.$/);
  await cell(page, "Re-quantized", 4).click();
  assert.match((await page.locator("#lab-bits-said").textContent()) ?? "", /^Scale 4: 0 of 576 bits flipped \(0\.0 %\), \d+ others differ/);

  // Another seed flips other bits, no rate none.
  await page.getByLabel("Seed of the flips").fill("2");
  await page.getByLabel("The transformer", { exact: true }).uncheck();
  await flip(page);
  const other = await figures(page);
  assert.equal(other.length, 3);
  assert.notEqual(other[1]?.error, kept.error);
  await page.getByLabel("Bits that flip").fill("0");
  await flip(page);
  assert.deepEqual((await figures(page)).map(({ psnr }) => psnr), ["no loss", "no loss", "no loss"]);
  assert.deepEqual(errors, []);
  await page.close();
});

test("a click or a key flips a single bit and shows what it moves", async () => {
  const { page, errors } = await visit();
  await page.getByLabel("The transformer", { exact: true }).uncheck();
  await cell(page, "Clean path", 3).click();
  await page.getByRole("slider", { name: "Bit plane" }).fill("6");
  const box = await page.locator("#lab-map").boundingBox();
  assert.ok(box);
  await page.locator("#lab-map").click({ position: { x: (box.width * 5) / 8, y: (box.height * 3) / 8 } });
  await page.locator("#lab-status").filter({ hasText: /^Bit 6 of token 7 at scale 3: [\d.]+ dB with/ }).waitFor();
  await reach(page, "idle");
  assert.equal(await differing(page, "Old residuals", 3), 1);
  for (const k of [1, 2, 4, 5]) assert.equal(await differing(page, "Old residuals", k), 0);
  assert.equal((await figures(page))[1]?.bits, 1);
  assert.match((await page.locator("#lab-bits-said").textContent()) ?? "", /^Scale 3: 1 of 256 bits flipped/);
  assert.equal(await page.getByRole("radio", { name: "Change" }).isChecked(), true);
  // What it moves lies around the token, row 2 and column 3 of four: less far away.
  const { width, height, colors } = await pixels(page, ".lab-row:nth-child(2) button:nth-child(4) canvas");
  const moved = (/** @type {number} */ row, /** @type {number} */ column) => {
    let sum = 0;
    for (let y = (row * height) / 4; y < ((row + 1) * height) / 4; y++) {
      for (let x = (column * width) / 4; x < ((column + 1) * width) / 4; x++) {
        for (let c = 0; c < 3; c++) sum += Math.abs((colors[3 * (y * width + x) + c] ?? 128) - 128);
      }
    }
    return sum;
  };
  assert.ok(moved(1, 2) > moved(3, 0), `${moved(1, 2)} here, ${moved(3, 0)} there`);

  await page.locator("#lab-map").focus();
  await page.keyboard.press("ArrowRight");
  assert.match((await page.locator("#lab-bits-said").textContent()) ?? "", /^Row 2, column 4: bit 6 is [01]\.$/);
  await page.keyboard.press("Space");
  await page.locator("#lab-status").filter({ hasText: /^Bit 6 of token 8 at scale 3: [\d.]+ dB with/ }).waitFor();
  await reach(page, "idle");
  // The last of four planes a row, and of 4 x 4 cells with a frame of one between them: plane 4, token 1.
  const sheet = await page.locator("#lab-planes").boundingBox();
  assert.ok(sheet);
  await page.locator("#lab-planes").click({ position: { x: (sheet.width * 16.5) / 21, y: (sheet.height * 1.5) / 21 } });
  await page.locator("#lab-status").filter({ hasText: /^Bit 4 of token 1 at scale 3: [\d.]+ dB with/ }).waitFor();
  await reach(page, "idle");
  assert.equal(await page.getByRole("slider", { name: "Bit plane" }).inputValue(), "4");
  assert.deepEqual(errors, []);
  await page.close();
});

test("the baseline is loaded on demand, goes on by itself, and is freed", async () => {
  stage.site.requests.length = 0;
  const { page, errors } = await visit(TINY, {}, FRUGAL);
  const fetched = () => stage.site.requests.filter(({ path }) => path.includes("/twin/")).map(({ path }) => path);
  assert.deepEqual(fetched(), []);
  await page.getByLabel("Its teacher-forced baseline").check();
  await flip(page);
  assert.ok(fetched().some((path) => path.endsWith(".safetensors")) && !fetched().some((path) => path.endsWith("tokenizer.json")));
  assert.deepEqual((await figures(page)).map(({ name }) => name).slice(3), ["Transformer, flipped", "Baseline, flipped"]);
  const baseline = (await pixels(page, ".lab-row:nth-child(6) button:nth-child(6) canvas")).colors;
  const model = (await pixels(page, ".lab-row:nth-child(4) button:nth-child(6) canvas")).colors;
  assert.notDeepEqual(baseline, model, "it draws by its own weights");
  const before = fetched().length;
  await flip(page);
  assert.equal(fetched().length, before, "it is loaded once");
  await page.getByRole("button", { name: "Draw", exact: true }).click();
  await reach(page, "idle");
  await page.getByRole("button", { name: "Self-correction" }).click();
  assert.equal(await page.getByLabel("Its teacher-forced baseline").isChecked(), false);
  assert.equal(await page.getByRole("group", { name: "Baseline, flipped" }).count(), 0);
  await flip(page);
  assert.equal((await figures(page)).length, 4);
  assert.deepEqual(errors, []);
  await page.close();
});

test("under the lab stands the experiment over many images, as it was computed", async () => {
  const { page, errors } = await open(stage.browser, stage.site.url + TINY);
  await page.getByRole("button", { name: "Self-correction" }).click();
  await page.locator("#lab-experiment").waitFor();
  const { images, rows: paths, recovery } = JSON.parse(readFileSync("docs/results/self-correction.json", "utf8"));
  const drawn = recovery.rows.filter((/** @type {any} */ { answer }) => answer === "drawn");
  assert.deepEqual(drawn.map((/** @type {any} */ { twin }) => twin), [false, false, false, true, true, true]);
  const rows = [...paths, ...drawn];
  assert.equal(await page.locator("#lab-experiment-title").textContent(), `The same over ${images} images`);
  const shown = await page.locator("#lab-experiment-rows tr").all();
  assert.equal(shown.length, rows.length);
  for (const [i, row] of shown.entries()) {
    const cells = await row.locator("td").allTextContents();
    assert.equal(cells[0], `${Math.round(100 * rows[i].rate)} %`);
    const means = cells.slice(1).map((text) => text.split(" ")[0]);
    const expected = [...rows[i].errors.map((/** @type {any} */ { mean }) => mean.toFixed(3)), rows[i].psnr?.mean.toFixed(1) ?? "–"];
    assert.deepEqual(means, expected);
  }
  const names = await page.locator("#lab-experiment-rows th").allTextContents();
  assert.deepEqual(names.slice(-6), ["Transformer", "Transformer", "Transformer", "Its baseline", "Its baseline", "Its baseline"]);
  assert.deepEqual(errors, []);
  await page.close();
});

test("the lab takes the sample, and a picture that is dropped or pasted there", async () => {
  const { page, errors } = await open(stage.browser, stage.site.url + TINY);
  await reach(page, "idle");
  await page.getByRole("button", { name: "Self-correction" }).click();
  await page.getByLabel("The transformer", { exact: true }).uncheck();
  const image = async () => (await pixels(page, "#lab-image")).colors;
  const seen = [await image()];
  for (const bring of [
    () => page.getByRole("button", { name: "Open the sample" }).click(),
    () => drop(page, "#lab-image", [SQUARE]),
    () => page.evaluate(async () => {
      const canvas = new OffscreenCanvas(64, 64);
      canvas.getContext("2d")?.fillRect(0, 0, 32, 64);
      const data = new DataTransfer();
      data.items.add(new File([await canvas.convertToBlob()], "black.png", { type: "image/png" }));
      document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
    }),
  ]) {
    await page.locator("#lab-status").evaluate((line) => (line.textContent = ""));
    await bring();
    await page.locator("#lab-status").filter({ hasText: "Choose which bits to flip" }).waitFor({ timeout: 60_000 });
    await reach(page, "idle");
    assert.match((await page.locator("#lab-said").textContent()) ?? "", /^An image read into tokens/);
    seen.push(await image());
    assert.notDeepEqual(seen.at(-1), seen.at(-2));
    await flip(page);
    const [clean, kept, paid] = await figures(page);
    assert.ok(clean && kept && paid && paid.error < kept.error, JSON.stringify([clean, kept, paid]));
  }
  assert.equal(await page.getByLabel("The transformer is conditioned on").inputValue(), "a guitar to the right of a horse in a desert");
  assert.ok(await page.getByText("The sample is composed of Fluent Emoji, © Microsoft, MIT licence.").isVisible());
  assert.deepEqual(errors, []);
  await page.close();
});

test("the lab flips and goes on on WebGPU as on the CPU", async () => {
  /** @type {Awaited<ReturnType<typeof figures>>[]} */
  const seen = [];
  for (const engine of ["cpu", "webgpu"]) {
    const { page, errors } = await visit(`?model=models/tiny/manifest.json&engine=${engine}`);
    await flip(page);
    seen.push(await figures(page));
    assert.deepEqual(errors, []);
    await page.close();
  }
  const [cpu = [], webgpu = []] = seen;
  assert.equal(webgpu.length, 4);
  // The same bits flip. What is quantized anew or drawn from them may fall the other way where two values are about as near.
  cpu.forEach(({ name, bits, error }, i) => {
    assert.deepEqual([webgpu[i]?.name, webgpu[i]?.bits], [name, bits]);
    assert.ok(Math.abs((webgpu[i]?.error ?? NaN) - error) <= (i < 2 ? 0.001 : 0.05), `${name}: ${webgpu[i]?.error} and ${error}`);
  });
});

test("a model without a baseline says so and shows the rest", async () => {
  const { page, errors } = await open(stage.browser, "about:blank", { serviceWorkers: "block" });
  await page.route("**/tiny/manifest.json", async (route) => {
    const response = await route.fetch();
    const { twin, ...rest } = await response.json();
    assert.equal(twin, "twin/manifest.json");
    await route.fulfill({ response, json: rest });
  });
  await page.goto(stage.site.url + TINY);
  await reach(page, "idle");
  await page.getByRole("button", { name: "Self-correction" }).click();
  await page.getByText("This model has no baseline that was trained without self-correction.").waitFor();
  assert.equal(await page.getByLabel("Its teacher-forced baseline").isDisabled(), true);
  assert.equal(await page.getByRole("button", { name: "Flip", exact: true }).isDisabled(), true);
  await page.getByRole("button", { name: "Draw an example" }).click();
  await page.locator("#lab-said").filter({ hasText: /seed \d+/ }).waitFor();
  await reach(page, "idle");
  await flip(page);
  assert.equal((await figures(page)).length, 4);
  assert.deepEqual(errors.filter((text) => !text.includes("Service Worker")), []);
  await page.close();
});

test("the baseline of a model from the visitor's disk is not offered, with the reason", async () => {
  const { page, errors } = await open(stage.browser, stage.site.url + TINY);
  await reach(page, "idle");
  await page.getByRole("button", { name: "Models" }).click();
  const folder = "target/tiny-model/";
  const chosen = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile()).map(({ name }) => folder + name);
  await page.getByLabel("Files on this device").setInputFiles(chosen);
  await page.getByRole("button", { name: "Load this model" }).click();
  await reach(page, "loading");
  await reach(page, "idle");
  await draw(page, "a red apple");
  await page.getByRole("button", { name: "Self-correction" }).click();
  await page.getByText("The baseline of a model from this device cannot be reached; load the model by the address").waitFor();
  assert.equal(await page.getByLabel("Its teacher-forced baseline").isDisabled(), true);
  await flip(page);
  assert.equal((await figures(page)).length, 4);
  assert.deepEqual(errors, []);
  await page.close();
});

test("a picture is measured against itself, and what cannot be done is said", async () => {
  const { page, errors } = await open(stage.browser, stage.site.url + TINY);
  await reach(page, "idle");
  await page.getByRole("button", { name: "Self-correction" }).click();
  const png = await page.evaluate(async () => {
    const canvas = new OffscreenCanvas(64, 64);
    const context = canvas.getContext("2d");
    if (!context) throw new Error("no canvas");
    context.fillStyle = "#cc6622";
    context.fillRect(0, 0, 64, 64);
    context.fillStyle = "#2255cc";
    context.fillRect(16, 16, 32, 32);
    return [...new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer())];
  });
  await page.getByLabel("Open an image").setInputFiles({ name: "square.png", mimeType: "image/png", buffer: Buffer.from(png) });
  await page.locator("#lab-said").filter({ hasText: "An image read into tokens" }).waitFor();
  await reach(page, "idle");
  await page.getByRole("button", { name: "Flip", exact: true }).click();
  await page.locator("#lab-alert").filter({ hasText: "has no prompt" }).waitFor();
  await reach(page, "idle");
  const [clean, kept, paid] = await figures(page);
  assert.ok(clean && kept && paid && clean.error > 0 && paid.error < kept.error, JSON.stringify([clean, kept, paid]));
  assert.match(clean.psnr, /^[\d.]+ dB$/);
  await page.getByLabel("The transformer is conditioned on").fill("a red apple");
  await flip(page);
  assert.equal((await figures(page)).length, 4);
  assert.equal(await page.locator("#lab-alert").isVisible(), false);
  for (const box of await page.locator("#lab-scales input").all()) await box.uncheck();
  await page.getByRole("button", { name: "Flip", exact: true }).click();
  await page.locator("#lab-alert").filter({ hasText: "No scale is chosen" }).waitFor();
  await page.getByLabel("Seed of the flips").fill("x");
  await page.getByRole("button", { name: "Flip", exact: true }).click();
  await page.locator("#lab-seed-error").filter({ hasText: "whole numbers" }).waitFor();
  const text = { name: "notes.png", mimeType: "image/png", buffer: Buffer.from("no image") };
  await page.getByLabel("Open an image").setInputFiles(text);
  await page.locator("#lab-alert").filter({ hasText: "no image that the browser can read" }).waitFor();
  assert.deepEqual(errors, []);
  await page.close();
});

test("what runs is stopped, and another flip takes its place", async () => {
  const { page, errors } = await visit();
  // The tiny model is done before a click from outside arrives: the page itself stops what has just begun.
  await page.evaluate(() => {
    const status = document.querySelector("#lab-status");
    const observer = new MutationObserver(() => {
      if (!status?.textContent?.includes("scale 1")) return;
      observer.disconnect();
      /** @type {HTMLElement | null} */ (document.querySelector("#lab-stop"))?.click();
    });
    if (status) observer.observe(status, { childList: true, characterData: true, subtree: true });
  });
  await page.getByRole("button", { name: "Flip", exact: true }).click();
  await page.locator("#lab-status").filter({ hasText: "Stopped." }).waitFor();
  await reach(page, "idle");
  // The next flip does not wait for the end of this one.
  await page.getByRole("button", { name: "Flip", exact: true }).click();
  await page.getByLabel("The transformer", { exact: true }).uncheck();
  await cell(page, "Clean path", 2).click();
  const box = await page.locator("#lab-map").boundingBox();
  assert.ok(box);
  await page.locator("#lab-map").click({ position: { x: 0.75 * box.width, y: 0.75 * box.height } });
  await page.locator("#lab-status").filter({ hasText: /^Bit 1 of token 4 at scale 2: [\d.]+ dB/ }).waitFor();
  await reach(page, "idle");
  assert.equal((await figures(page))[1]?.bits, 1);
  assert.deepEqual(errors, []);
  await page.close();
});

test("with the shipped model and its baseline, flips of a tenth of the bits cost less where residuals are quantized again", async () => {
  const { page, errors } = await visit("?engine=cpu");
  await page.getByLabel("Its teacher-forced baseline").check();
  await page.getByLabel("Bits that flip").fill("10");
  await flip(page);
  const [clean, kept, paid, model, baseline] = await figures(page);
  assert.ok(clean && kept && paid && model && baseline, "five paths");
  assert.deepEqual([clean.bits, clean.error], [0, 0]);
  // A tenth of the bits of two scales: 4 and 16 tokens of 32 bits.
  assert.ok(kept.bits > 35 && kept.bits < 95, `${kept.bits} bits`);
  assert.deepEqual([paid.bits, model.bits, baseline.bits], [kept.bits, kept.bits, kept.bits]);
  assert.ok(paid.error < kept.error, `${paid.error} and ${kept.error}`);
  for (const { psnr } of [kept, paid, model, baseline]) assert.match(psnr, /^[\d.]+ dB$/);
  // The model's image is still the one before the flips and not noise; the baseline was never taught to come back from them.
  assert.ok(parseFloat(model.psnr) > 12, `${model.name}: ${model.psnr}`);
  assert.ok(parseFloat(model.psnr) > parseFloat(baseline.psnr), `${model.psnr} and ${baseline.psnr}`);
  await shoot(page, "lab-default");
  assert.deepEqual(errors, []);
  await page.close();
});

for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
  test(`axe finds nothing in the lab at any width in ${colorScheme}`, async () => {
    const { page, errors } = await visit(TINY, { colorScheme });
    await page.locator("#lab-experiment").waitFor();
    await inEveryWidth(page, (width) => accessible(page, `an image at ${width} pixels`));
    await page.getByLabel("Its teacher-forced baseline").check();
    await flip(page);
    await page.locator("summary").filter({ hasText: "true bits" }).click();
    await inEveryWidth(page, async (width) => {
      await accessible(page, `compared at ${width} pixels`);
      await screenshot(page, `lab-${colorScheme}-${width}`);
    });
    assert.deepEqual(errors, []);
    await page.close();
  });
}
