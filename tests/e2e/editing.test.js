// Keeping, redrawing, painting, reading, sharing and finding again, in headless Chromium with the tiny random model.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { checkAllScales, draw, open, pixels, reach, setUp, shoot } from "./visit.js";

const TINY = "?model=models/tiny/manifest.json&engine=cpu";

const stage = setUp();

/** @param {import("playwright-core").BrowserContextOptions} [options] */
async function visit(options) {
  const visitor = await open(stage.browser, stage.site.url + TINY, options);
  await reach(visitor.page, "idle");
  return visitor;
}

/** @typedef {import("playwright-core").Page} Page */

/** Every frame of the filmstrip. @param {Page} page */
async function frames(page) {
  const count = await page.locator("#strip li").count();
  const all = [];
  for (let k = 1; k <= count; k++) all.push((await pixels(page, `#strip li:nth-child(${k}) canvas`)).colors);
  return all;
}

/** The 8 x 8 tokens of 16 bits whose planes the canvas shows, four by four with a gap of a cell. @param {Page} page */
async function tokens(page) {
  const { width, colors } = await pixels(page, "#canvas");
  const zoom = width / (4 * 9 - 1);
  const red = (/** @type {number} */ x, /** @type {number} */ y) => colors[3 * (Math.floor((y + 0.5) * zoom) * width + Math.floor((x + 0.5) * zoom))];
  return Array.from({ length: 64 }, (_, token) =>
    Array.from({ length: 16 }, (_, p) => red((p % 4) * 9 + (token % 8), Math.floor(p / 4) * 9 + Math.floor(token / 8))).join(),
  );
}

/** Presses what begins a drawing and waits for its end. @param {Page} page @param {() => Promise<void>} press */
async function drawn(page, press) {
  const ended = page.evaluate(
    () =>
      new Promise((resolve) => {
        let busy = false;
        new MutationObserver(() => {
          const { state } = document.body.dataset;
          if (state === "drawing") busy = true;
          else if (busy) resolve(undefined);
        }).observe(document.body, { attributes: true });
      }),
  );
  await press();
  await ended;
  await reach(page, "idle");
}

test("kept scales stay under a new prompt, until they are released", async () => {
  const { page, errors } = await visit();
  await draw(page, "a red apple");
  const first = await frames(page);
  await page.locator("#strip button").nth(1).click();
  await page.getByRole("button", { name: "Keep to here" }).click();
  assert.equal(await page.locator("#edit-summary-text").textContent(), "Keeps scales 1–2");
  assert.equal(await page.locator("#keep-value").textContent(), "2 of 5");
  await draw(page, "a green pear");
  const second = await frames(page);
  assert.deepEqual(second.slice(0, 2), first.slice(0, 2));
  assert.notDeepEqual(second.at(-1), first.at(-1));
  assert.equal(await page.locator("#strip .kept").count(), 2, "still kept");
  await shoot(page, "kept");
  await page.getByRole("button", { name: "Release" }).click();
  await draw(page, "a green pear");
  assert.notDeepEqual((await frames(page))[1], first[1]);
  assert.deepEqual(errors, []);
  await page.close();
});

test("redrawing from a scale keeps the ones before it", async () => {
  const { page, errors } = await visit();
  await draw(page, "a red apple");
  const first = await frames(page);
  await page.locator("#strip button").nth(3).click();
  await drawn(page, () => page.getByRole("button", { name: "Redraw from here" }).click());
  const second = await frames(page);
  assert.deepEqual(second.slice(0, 3), first.slice(0, 3));
  assert.notDeepEqual(second[3], first[3]);
  assert.deepEqual(errors, []);
  await page.close();
});

test("a painted mask redraws its cells alone, by pointer and by keyboard", async () => {
  const { page, errors } = await visit();
  await draw(page, "a red apple");
  await page.getByLabel("Keep the first scales").fill("3");
  await page.getByLabel("Paint an edit mask").check();
  const mask = page.locator("#mask");
  const box = await mask.boundingBox();
  assert.ok(box);
  await page.mouse.move(box.x + box.width * 0.8, box.y + box.height * 0.8);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.95, box.y + box.height * 0.8, { steps: 5 });
  await page.mouse.up();
  assert.match((await page.locator("#edit-summary-text").textContent()) ?? "", /^Keeps scales 1–3 and redraws the 2 painted cells$/);
  await mask.focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Space");
  assert.match((await page.locator("#mask-said").textContent()) ?? "", /^Row 6, column 5: generated anew\.$/);
  assert.match((await page.locator("#edit-summary-text").textContent()) ?? "", /3 painted cells/);
  await shoot(page, "mask");
  await page.getByRole("radio", { name: "Bits" }).check();
  const before = await tokens(page);
  await draw(page, "a green pear");
  const after = await tokens(page);
  const changed = after.map((token, i) => (token === before[i] ? -1 : i)).filter((i) => i >= 0);
  assert.ok(changed.length > 0 && changed.every((i) => [44, 54, 55].includes(i)), `tokens ${changed} of 8 x 8 changed`);
  assert.deepEqual(errors, []);
  await page.close();
});

test("an image of the visitor is read, rebuilt, measured, and kept from", async () => {
  const { page, errors } = await visit();
  const [width, height] = [300, 200];
  const png = await page.evaluate(
    async ([width = 1, height = 1]) => {
      const canvas = new OffscreenCanvas(width, height);
      const context = canvas.getContext("2d");
      if (!context) throw new Error("no canvas");
      context.fillStyle = "orange";
      context.fillRect(0, 0, width / 2, height);
      return [...new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer())];
    },
    [width, height],
  );
  const file = { name: "orange.png", mimeType: "image/png", buffer: Buffer.from(png) };
  await page.getByLabel("Start from an image").setInputFiles(file);
  await page.locator("#status").filter({ hasText: /^Read into \d+ tokens, rebuilt at [\d.]+ dB$/ }).waitFor();
  await reach(page, "idle");
  assert.match((await page.locator("#aspect-value").textContent()) ?? "", /^3:2 /);
  await checkAllScales(page);
  await page.locator("#strip button").first().click();
  assert.match((await page.locator("#status").textContent()) ?? "", /^Scale 1 of 5: [\d.]+ dB$/);
  await page.getByRole("radio", { name: "Original" }).check();
  const original = await pixels(page, "#canvas");
  const right = [...original.colors.subarray(-3)];
  assert.deepEqual(right, [255, 255, 255], "what is transparent becomes white");
  await shoot(page, "read");
  // Bits, as the pictures that were measured are finer than those of a drawing.
  await page.getByRole("radio", { name: "Bits" }).check();
  const planes = async () => {
    const all = [];
    for (const k of [0, 1, 2]) {
      await page.locator("#strip button").nth(k).click();
      all.push((await pixels(page, "#canvas")).colors);
    }
    return all;
  };
  const first = await planes();
  await page.getByLabel("Keep the first scales").fill("2");
  await draw(page, "a red apple");
  const second = await planes();
  assert.deepEqual(second.slice(0, 2), first.slice(0, 2));
  assert.notDeepEqual(second[2], first[2]);
  const text = { name: "notes.png", mimeType: "image/png", buffer: Buffer.from("no image") };
  await page.getByLabel("Start from an image").setInputFiles(text);
  await page.locator("#alert").filter({ hasText: "no image that the browser can read" }).waitFor();
  assert.deepEqual(errors, []);
  await page.close();
});

test("an image can be dropped and pasted", async () => {
  const { page, errors } = await visit();
  for (const type of ["drop", "paste"]) {
    await drawn(page, () =>
      page.evaluate(async (type) => {
        const canvas = new OffscreenCanvas(64, 64);
        canvas.getContext("2d")?.fillRect(0, 0, 32, 64);
        const data = new DataTransfer();
        data.items.add(new File([await canvas.convertToBlob()], "black.png", { type: "image/png" }));
        const event =
          type === "drop"
            ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
            : new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
        document.body.dispatchEvent(event);
      }, type),
    );
    assert.match((await page.locator("#status").textContent()) ?? "", /^Read into 121 tokens/, type);
  }
  assert.deepEqual(errors, []);
  await page.close();
});

test("files that are no image leave the page where it is; those of a model are looked at", async () => {
  const { page, errors } = await visit();
  /** Whether the browser would have opened the file. @param {[name: string, text: string][]} files */
  const drop = (files) =>
    page.evaluate((files) => {
      const data = new DataTransfer();
      for (const [name, text] of files) data.items.add(new File([text], name));
      return document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
    }, files);
  assert.equal(await drop([["notes.txt", "nothing"]]), false, "notes.txt would be opened");
  await page.locator("#alert").filter({ hasText: "neither an image nor a model; drop" }).waitFor();
  const manifest = readFileSync("target/tiny-model/manifest.json", "utf8");
  assert.equal(await drop([["manifest.json", manifest], ["weights.safetensors", ""]]), false, "the manifest would be opened");
  await page.locator("#model-found").filter({ hasText: "Tiny random model" }).waitFor();
  await page.getByRole("button", { name: "Load this model" }).waitFor();
  await page.locator("#models-close").click();
  const text = await page.evaluate(() => {
    const data = new DataTransfer();
    data.setData("text/plain", "a red apple");
    return document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
  });
  assert.ok(text, "text may be dropped on the prompt");
  assert.deepEqual(errors, []);
  await page.close();
});

test("four images are drawn one after the other, and each can be brought up", async () => {
  const { page, errors } = await visit();
  await page.getByLabel("Seed", { exact: true }).fill("5");
  await page.getByRole("radio", { name: "Four images" }).check();
  await draw(page, "a red apple");
  assert.match((await page.locator("#status").textContent()) ?? "", /seeds 5 to 8; choose one$/);
  const cells = page.locator("#batch button");
  assert.equal(await cells.count(), 4);
  const third = (await pixels(page, "#batch button:nth-child(3) canvas")).colors;
  await shoot(page, "four");
  await cells.nth(2).click();
  assert.deepEqual((await pixels(page, "#canvas")).colors, third);
  assert.equal(await page.locator("#status").textContent(), "Seed 7");
  await page.getByRole("button", { name: "All four" }).click();
  await cells.nth(0).click();
  assert.notDeepEqual((await pixels(page, "#canvas")).colors, third);
  await page.getByRole("radio", { name: "One image" }).check();
  await page.getByLabel("Seed", { exact: true }).fill("7");
  await draw(page, "a red apple");
  assert.deepEqual((await pixels(page, "#canvas")).colors, third, "the third of the batch is seed 7");
  assert.deepEqual(errors, []);
  await page.close();
});

test("earlier images survive a reload and decode to the same pixels", async () => {
  const { page, errors } = await visit();
  await page.getByLabel("Seed", { exact: true }).fill("11");
  await page.getByRole("radio", { name: "3 to 2", exact: true }).check();
  await draw(page, "a red apple");
  const expected = (await pixels(page, "#canvas")).colors;
  await draw(page, "a blue car");
  await page.locator("#gallery li").nth(1).waitFor();
  await page.reload();
  await reach(page, "idle");
  await drawn(page, () => page.getByRole("button", { name: "a red apple, seed 11", exact: true }).click());
  assert.deepEqual((await pixels(page, "#canvas")).colors, expected);
  assert.equal(await page.getByLabel("Prompt").inputValue(), "a red apple");
  assert.equal(await page.getByLabel("Seed", { exact: true }).inputValue(), "11");
  assert.match((await page.locator("#aspect-value").textContent()) ?? "", /^3:2 /);
  await shoot(page, "history");
  await page.getByRole("button", { name: "Delete a red apple, seed 11" }).click();
  await page.waitForFunction(() => document.querySelectorAll("#gallery li").length === 1);
  const clear = page.locator("#history-clear");
  await clear.click();
  assert.equal(await page.locator("#gallery li").count(), 1, "once is not enough");
  await clear.click();
  await page.locator("#history").waitFor({ state: "hidden" });
  await page.reload();
  await reach(page, "idle");
  assert.equal(await page.locator("#gallery li").count(), 0);
  assert.deepEqual(errors, []);
  await page.close();
});

test("a link carries the image to another visitor, and a broken one says what is wrong", async () => {
  const { page, errors } = await visit({ permissions: ["clipboard-read", "clipboard-write"] });
  await page.getByRole("radio", { name: "4 to 3", exact: true }).check();
  await draw(page, "a red apple");
  const expected = (await pixels(page, "#canvas")).colors;
  await page.getByRole("button", { name: "Copy link" }).click();
  await page.locator("#status").filter({ hasText: "Link copied" }).waitFor();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  const { searchParams, hash } = new URL(link);
  assert.deepEqual([...searchParams], [["model", "models/tiny/manifest.json"]], "whose engine it was is nobody else's matter");
  assert.equal(hash, new URL(page.url()).hash);
  assert.match(page.url(), /engine=cpu/, "a reload keeps the engine");
  assert.deepEqual(errors, []);
  await page.close();

  const other = await open(stage.browser, link);
  await other.page.locator("#status").filter({ hasText: "came whole in the link" }).waitFor({ timeout: 60_000 });
  await reach(other.page, "idle");
  assert.deepEqual((await pixels(other.page, "#canvas")).colors, expected);
  assert.match((await other.page.locator("#aspect-value").textContent()) ?? "", /^4:3 /);
  await shoot(other.page, "shared");
  await other.page.goto(`${link.slice(0, -5)}AAAAA`);
  await other.page.locator("#alert").filter({ hasText: "cut off or changed" }).waitFor();
  assert.deepEqual((await pixels(other.page, "#canvas")).colors, expected, "what was there stays");
  assert.deepEqual(other.errors, []);
  await other.page.close();
});

test("the image and its growth can be saved", async () => {
  const { page, errors } = await visit();
  await page.getByLabel("Seed", { exact: true }).fill("3");
  await draw(page, "a red apple");
  const [png] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "PNG" }).click()]);
  assert.equal(png.suggestedFilename(), "a-red-apple-seed-3-scale-5.png");
  assert.deepEqual([...readFileSync(await png.path()).subarray(1, 4)], [...Buffer.from("PNG")]);
  const [film] = await Promise.all([
    page.waitForEvent("download", { timeout: 60_000 }),
    page.getByRole("button", { name: "Film" }).click(),
  ]);
  assert.equal(film.suggestedFilename(), "a-red-apple-seed-3.webm");
  const bytes = readFileSync(await film.path());
  assert.deepEqual([...bytes.subarray(0, 4)], [0x1a, 0x45, 0xdf, 0xa3], "EBML, as WebM begins");
  assert.ok(bytes.length > 10_000, `${bytes.length} bytes`);

  const button = page.locator("#film");
  const again = page.waitForEvent("download", { timeout: 60_000 });
  await button.click();
  await page.locator("#status").filter({ hasText: "Recording the film." }).waitFor();
  await shoot(page, "film");
  await again;
  await page.locator("#status").filter({ hasText: "The film is saved." }).waitFor();
  await page.evaluate(() => {
    MediaRecorder.prototype.start = () => {
      throw new Error("a test records nothing");
    };
  });
  await button.click();
  await page.locator("#alert").filter({ hasText: "The film could not be recorded (A test records nothing); try again" }).waitFor();
  assert.ok(await button.isEnabled());
  assert.deepEqual(errors, []);
  await page.close();
});

test("the views show the picture, what a scale added, and its bits", async () => {
  const { page, errors } = await visit();
  await draw(page, "a red apple");
  await page.locator("#strip button").nth(1).click();
  const picture = await pixels(page, "#canvas");
  await page.getByRole("radio", { name: "Residual" }).check();
  // Sixteen channels of the 8 x 8 latent, a gap of one cell between them.
  const residual = await pixels(page, "#canvas");
  assert.ok(residual.width === residual.height && residual.width % 35 === 0, `${residual.width} x ${residual.height}`);
  assert.notDeepEqual(residual.colors, picture.colors);
  assert.match((await page.locator("#canvas").getAttribute("aria-label")) ?? "", /scale 2 of 5, its residual in the latent/);
  await shoot(page, "residual");
  // The last scale is as fine as the latent, so its codes are added as they are: two colors, those of its bits.
  await page.locator("#strip button").nth(4).click();
  const last = await pixels(page, "#canvas");
  await page.getByRole("radio", { name: "Bits" }).check();
  assert.deepEqual((await pixels(page, "#canvas")).colors, last.colors);
  assert.notDeepEqual(last.colors, residual.colors);
  await page.locator("#strip button").nth(1).click();
  // Sixteen planes of 2 x 2 bits, a gap of one cell between them.
  const bits = await pixels(page, "#canvas");
  assert.ok(bits.width === bits.height && bits.width % 11 === 0, `${bits.width} x ${bits.height}`);
  assert.match((await page.locator("#canvas").getAttribute("aria-label")) ?? "", /scale 2 of 5, its bits/);
  await shoot(page, "bits");
  assert.deepEqual(errors, []);
  await page.close();
});

test("chips write prompts of words that the model knows", async () => {
  const { page, errors } = await visit();
  const prompt = page.getByLabel("Prompt");
  await prompt.fill("an apple");
  await page.getByRole("group", { name: "Color" }).getByRole("button", { name: "red" }).click();
  assert.equal(await prompt.inputValue(), "a red apple");
  await page.getByRole("group", { name: "Backdrop" }).getByRole("button", { name: "blue background" }).click();
  assert.equal(await prompt.inputValue(), "a red apple on a blue background");
  assert.equal(await page.getByRole("group", { name: "Color" }).getByRole("button").count(), 3, "red, green, blue");
  await page.getByRole("button", { name: "Surprise me" }).click();
  assert.match(await prompt.inputValue(), /^a (red|green|blue) (apple|pear on a (red|green|blue) background)$/);
  assert.ok(await page.getByRole("group", { name: "Style" }).isHidden(), "this model knows no style");
  assert.deepEqual(errors, []);
  await page.close();
});

test("chips of styles and places, for a model that was trained on free text", async () => {
  const { page } = await open(stage.browser, "about:blank", { serviceWorkers: "block" });
  await page.route("**/tiny/manifest.json", async (route) => {
    const response = await route.fetch();
    const manifest = await response.json();
    manifest.words = [];
    await route.fulfill({ response, json: manifest });
  });
  await page.goto(stage.site.url + TINY);
  await reach(page, "idle");
  const prompt = page.getByLabel("Prompt");
  await prompt.fill("a red apple");
  const chip = (/** @type {string} */ group, /** @type {string} */ name) => page.getByRole("group", { name: group }).getByRole("button", { name }).click();
  await chip("Style", "glossy");
  assert.equal(await prompt.inputValue(), "a glossy red apple");
  await chip("Place", "in a meadow");
  assert.equal(await prompt.inputValue(), "a glossy red apple in a meadow");
  await chip("Style", "pixel art of");
  assert.equal(await prompt.inputValue(), "pixel art of a red apple in a meadow");
  await chip("Style", "pixel art of");
  assert.equal(await prompt.inputValue(), "a red apple in a meadow");
  await page.close();
});
