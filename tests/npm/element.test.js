// What <infinity-image> promises to the page it stands on.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, screenshot, watch } from "../e2e/visit.js";
import { host, install, look, reaches } from "./workshop.js";

const SCRIPT = '<script type="module" src="/node_modules/infinity-web/dist/embed/element.js"></script>';
const MODEL = "/node_modules/infinity-web-emoji/manifest.json";
const POSTER = `data:image/svg+xml,${encodeURIComponent('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><rect width="8" height="8" fill="#e9b44c"/><circle cx="4" cy="4" r="2.5" fill="#b3261e"/></svg>')}`;
const EVENTS = ["progress", "load", "generatestart", "scale", "generateend", "error", "abort"];

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {import("./workshop.js").Host} */
let site;
before(async () => {
  browser = await launch();
  site = await host(install("element", {}));
});
after(async () => {
  await browser?.close();
  site?.close();
});

/**
 * A page with that body; the element's events are collected in `events`.
 * @param {string} body
 * @param {import("playwright-core").BrowserContextOptions} [options]
 */
async function open(body, options) {
  const page = await browser.newPage({ viewport: { width: 640, height: 480 }, ...options });
  const errors = watch(page);
  let workers = 0;
  page.on("worker", () => workers++);
  site.requests.length = 0;
  site.replace = (path) => (path === "/" ? `<!doctype html><meta charset="utf-8"><body>${body}</body>${SCRIPT}` : undefined);
  await page.addInitScript((names) => {
    const events = /** @type {string[]} */ ([]);
    Object.assign(window, { events });
    for (const name of names) {
      document.addEventListener(name, (event) => event instanceof CustomEvent && events.push(event.type), true);
    }
  }, EVENTS);
  await page.goto(site.url);
  return { page, errors, workers: () => workers };
}

/** Event names in their order, the many alike as one. @param {import("playwright-core").Page} page */
async function told(page) {
  const events = /** @type {string[]} */ (await page.evaluate(() => Reflect.get(window, "events")));
  return events.filter((name, i) => name !== events[i - 1]);
}

/** What was downloaded beyond the scripts of the element itself. */
const heavy = () => site.requests.filter((path) => /\.wasm$|manifest\.json$|safetensors$|tokenizer\.json$|worker\.js$/.test(path));

test("nothing is downloaded until the visitor presses Draw; then events come in order", async () => {
  const { page, errors } = await open(`<infinity-image src="${MODEL}" prompt="a red apple" seed="7"></infinity-image>`);
  await page.waitForTimeout(300);
  assert.deepEqual(heavy(), []);
  assert.equal(await page.locator("infinity-image").evaluate((element) => /** @type {any} */ (element).bits), null);
  await page.getByRole("button", { name: "Draw" }).click();
  await reaches(page, "done");
  assert.deepEqual(await told(page), ["progress", "load", "generatestart", "scale", "generateend"]);
  const { bits, label, custom } = await page.locator("infinity-image").evaluate((element) => ({
    bits: /** @type {any} */ (element).bits,
    label: element.shadowRoot?.querySelector("canvas")?.getAttribute("aria-label"),
    custom: element.matches(":state(done)"),
  }));
  assert.equal(bits.aspect, "1:1");
  assert.deepEqual(bits.bits.map((/** @type {number[]} */ words) => words.length), [1, 4, 16, 36, 64]);
  assert.equal(label, "a red apple");
  assert.ok(custom);
  const first = await look(page);
  await page.locator("infinity-image").evaluate((element) => /** @type {any} */ (element).generate({ seed: 7 }));
  assert.deepEqual((await look(page)).colours, first.colours, "the same seed drew another image");
  assert.deepEqual(errors, []);
  await page.close();
});

test("three elements share one engine and take turns; it ends with the last of them", async () => {
  const one = (/** @type {number} */ seed) => `<infinity-image id="i${seed}" loading="eager" src="${MODEL}" prompt="a red apple" seed="${seed}"></infinity-image>`;
  const { page, errors, workers } = await open(one(1) + one(2) + one(3));
  for (const seed of [1, 2, 3]) await reaches(page, "done", `#i${seed}`);
  assert.equal(workers(), 1);
  assert.equal(heavy().filter((path) => path.endsWith(".wasm")).length, 1);
  const [a, b] = [await look(page, "#i1"), await look(page, "#i2")];
  assert.notDeepEqual(a.colours, b.colours);
  // A move is no goodbye.
  await page.evaluate(() => document.body.append(/** @type {Element} */ (document.querySelector("#i1"))));
  await page.locator("#i1").evaluate((element) => /** @type {any} */ (element).generate());
  assert.equal(workers(), 1);
  assert.equal(page.workers().length, 1);
  await page.evaluate(() => document.querySelectorAll("infinity-image").forEach((element) => element.remove()));
  await page.waitForFunction(() => true, null, { polling: 100 });
  for (let i = 0; i < 50 && page.workers().length > 0; i++) await page.waitForTimeout(50);
  assert.equal(page.workers().length, 0);
  assert.deepEqual(errors, []);
  await page.close();
});

test("a drawing that is cancelled, replaced or removed ends with an abort, and the next one draws", async () => {
  const { page, errors } = await open(`<infinity-image loading="manual" src="${MODEL}" prompt="a red apple"></infinity-image>`);
  await page.waitForFunction(() => customElements.get("infinity-image"));
  assert.equal(await page.getByRole("button", { name: "Draw" }).count(), 0);
  const ends = await page.locator("infinity-image").evaluate(async (found) => {
    const element = /** @type {import("../../www/embed/element.js").InfinityImage} */ (found);
    let aborts = 0;
    element.addEventListener("abort", () => aborts++); // one of them while it is in no document
    const name = (/** @type {Promise<unknown>} */ promise) => promise.then(() => "drawn", (/** @type {Error} */ error) => error.name);
    const outer = new AbortController();
    const cancelled = name(element.generate());
    element.addEventListener("scale", () => element.cancel(), { once: true });
    const ends = [await cancelled];
    const signalled = name(element.generate({ signal: outer.signal }));
    outer.abort();
    ends.push(await signalled);
    const replaced = name(element.generate());
    ends.push(await name(element.generate({ seed: 3 })), await replaced);
    const removed = name(element.generate());
    element.remove();
    ends.push(await removed);
    document.body.append(element);
    ends.push(await name(element.generate({ prompt: "a green pear", aspect: "2:1" })));
    return [...ends, aborts];
  });
  assert.deepEqual(ends, ["AbortError", "AbortError", "drawn", "AbortError", "AbortError", "drawn", 4]);
  const { width, height } = await look(page);
  assert.deepEqual([width, height], [160, 80]);
  assert.deepEqual(errors, []);
  await page.close();
});

test("changed attributes draw anew, once for all of them; properties of before the definition count", async () => {
  const { page, errors } = await open(`<infinity-image src="${MODEL}"></infinity-image><script>Object.assign(document.querySelector("infinity-image"), { prompt: "a red apple", seed: 1, cfg: [1, 2, 3, 3, 3], loading: "eager" })</script>`);
  await reaches(page, "done");
  const { cfg, seed } = await page.locator("infinity-image").evaluate((element) => ({ cfg: element.getAttribute("cfg"), seed: /** @type {any} */ (element).seed }));
  assert.deepEqual([cfg, seed], ["1,2,3,3,3", 1]);
  await page.locator("infinity-image").evaluate((element) => {
    element.setAttribute("prompt", "a green pear");
    element.setAttribute("aspect", "1:2");
    element.removeAttribute("cfg");
  });
  await page.waitForFunction(() => /** @type {string[]} */ (Reflect.get(window, "events")).filter((name) => name === "generateend").length === 2);
  const events = /** @type {string[]} */ (await page.evaluate(() => Reflect.get(window, "events")));
  assert.equal(events.filter((name) => name === "generatestart").length, 2);
  assert.deepEqual([(await look(page)).width, (await look(page)).height], [80, 160]);
  assert.deepEqual(errors, []);
  await page.close();
});

test("errors carry a code and a remedy, the fallback stays, and trying again works", async () => {
  const { page } = await open(`<infinity-image src="/nowhere/manifest.json" prompt="a red apple" poster="data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='8' height='8'/>"><b>No picture</b></infinity-image>`);
  assert.ok(await page.getByText("No picture").isHidden(), "the poster lies over it until it is needed");
  await page.locator("infinity-image").evaluate((element) => {
    element.addEventListener("error", (event) => Object.assign(window, { code: /** @type {CustomEvent} */ (event).detail.code }), { once: true });
  });
  await page.getByRole("button", { name: "Draw" }).click();
  await reaches(page, "error");
  assert.equal(await page.evaluate(() => Reflect.get(window, "code")), "download");
  assert.ok(await page.getByText("No picture").isVisible());
  assert.match((await page.getByRole("alert").textContent()) ?? "", /^The manifest could not be loaded \(the server answers 404\); check .*\./);
  await page.locator("infinity-image").evaluate((element, model) => element.setAttribute("src", model), MODEL);
  await reaches(page, "done");
  const refused = await page.locator("infinity-image").evaluate((found) => {
    const element = /** @type {any} */ (found);
    return element.generate({ seed: -1 }).catch((/** @type {any} */ error) => [error.code, error.field]);
  });
  assert.deepEqual(refused, ["options", "seed"]);
  await page.locator("infinity-image").evaluate((element) => element.setAttribute("src", "no-such-model"));
  await reaches(page, "error");
  assert.match((await page.getByRole("alert").textContent()) ?? "", /^No model named no-such-model has been imported; add import/);
  await page.close();
});

test("a worker of another version is refused", async () => {
  const { page } = await open(`<infinity-image prompt="a red apple" src="${MODEL}"></infinity-image>`);
  const plain = site.replace;
  site.replace = (path) => (path.endsWith("/worker.js") ? 'postMessage({ type: "ready", protocol: 1 });' : plain(path));
  await page.getByRole("button", { name: "Draw" }).click();
  await reaches(page, "error");
  assert.match((await page.getByRole("alert").textContent()) ?? "", /different versions/);
  await page.close();
});

test("with controls: another prompt, Stop, and the image as a file", async () => {
  const { page, errors } = await open(`<infinity-image controls src="${MODEL}" prompt="a red apple" seed="5"></infinity-image>`);
  await page.getByLabel("Prompt").fill("a green pear");
  await page.getByRole("button", { name: "Draw" }).click();
  await page.getByRole("button", { name: "Stop" }).click();
  await reaches(page, "idle");
  await page.getByLabel("Prompt").press("Enter");
  await reaches(page, "done");
  assert.match((await page.getByRole("status").textContent()) ?? "", /^Seed 5, [\d.]+ m?s$/);
  assert.equal(await page.getByRole("img", { name: "a green pear" }).count(), 1);
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save as PNG" }).click()]);
  assert.equal(download.suggestedFilename(), "a-green-pear.png");
  assert.deepEqual(errors, []);
  await page.close();
});

test("every state has its looks, in light and in dark", async () => {
  const style = "<style>html { color-scheme: light dark; font-family: system-ui } body { display: grid; grid-template-columns: repeat(3, 220px); gap: 20px; padding: 20px; margin: 0 } infinity-image { --infinity-size: 220px }</style>";
  const body = `${style}
    <infinity-image prompt="a red apple"></infinity-image>
    <infinity-image prompt="a red apple" poster="${POSTER}" controls></infinity-image>
    <infinity-image prompt="a red apple" loading="manual"><p>Drawn in your browser</p></infinity-image>
    <infinity-image id="loading" prompt="a red apple" src="/slow/manifest.json" poster="${POSTER}" controls></infinity-image>
    <infinity-image id="drawing" prompt="a red apple" seed="1" src="${MODEL}" controls></infinity-image>
    <infinity-image id="done" prompt="a red apple" seed="2" src="${MODEL}" controls></infinity-image>
    <infinity-image id="error" prompt="a red apple" src="/nowhere/manifest.json"></infinity-image>`;
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    const { page } = await open(body, { colorScheme, viewport: { width: 760, height: 900 } });
    await page.route("**/slow/**", () => {});
    const start = (/** @type {string} */ id) => page.locator(id).evaluate((element) => void (/** @type {any} */ (element).generate().catch(() => {})));
    for (const id of ["#done", "#error", "#loading"]) await start(id);
    await reaches(page, "done", "#done");
    await reaches(page, "error", "#error");
    // Stands still in the middle of its scales.
    await page.locator("#drawing").evaluate((found) => {
      const element = /** @type {any} */ (found);
      return new Promise((resolve) => {
        element.addEventListener("scale", (/** @type {CustomEvent} */ { detail }) => {
          if (detail.k !== 3) return;
          resolve(undefined);
          element.shadowRoot.querySelector(".frame").replaceChildren(...element.shadowRoot.querySelector(".frame").cloneNode(true).childNodes);
          const copy = element.shadowRoot.querySelector("canvas");
          copy.getContext("2d").putImageData(detail.image, 0, 0);
        });
        element.generate().catch(() => {});
      });
    });
    await screenshot(page, `npm-element-${colorScheme}`);
    const contrast = await page.locator("#error").evaluate((element) => getComputedStyle(/** @type {Element} */ (element.shadowRoot?.querySelector(".error"))).color);
    assert.equal(contrast, colorScheme === "light" ? "rgb(140, 29, 18)" : "rgb(255, 201, 192)");
    await page.close();
  }
});
