// What <infinity-image> promises to the page it stands on.

import assert from "node:assert/strict";
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { check } from "../e2e/axe.js";
import { launch, screenshot, watch } from "../e2e/visit.js";
import { host, install, look, progressed, reaches } from "./workshop.js";

const SCRIPT = '<script type="module" src="/node_modules/infinity-web/dist/embed/element.js"></script>';
const MODEL = "/node_modules/infinity-web-emoji/manifest.json";
const POSTER = `data:image/svg+xml,${encodeURIComponent('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><rect width="8" height="8" fill="#e9b44c"/><circle cx="4" cy="4" r="2.5" fill="#b3261e"/></svg>')}`;
const EVENTS = ["progress", "load", "generatestart", "scale", "generateend", "error", "abort"];

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {import("./workshop.js").Host} */
let site;
const folder = install("element", {});
const DIST = join(folder, "node_modules/infinity-web/dist");
before(async () => {
  browser = await launch();
  site = await host(folder);
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
  site.replace = (path) => (path === "/" ? `<!doctype html><html lang="en"><meta charset="utf-8"><title>Element</title><body>${body}</body>${SCRIPT}` : undefined);
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
  const { page, errors } = await open(`<infinity-image src="${MODEL}" prompt="a red apple" seed="7" device="cpu"></infinity-image>`);
  await page.waitForTimeout(300);
  assert.deepEqual(heavy(), []);
  const before = await page.locator("infinity-image").evaluate((element) => {
    /** @type {unknown[]} */
    const progress = [];
    Object.assign(window, { progress });
    element.addEventListener("progress", (event) => progress.push(/** @type {CustomEvent} */ (event).detail));
    element.addEventListener("load", (event) => Object.assign(window, { device: /** @type {CustomEvent} */ (event).detail.device }));
    return /** @type {any} */ (element).bits;
  });
  assert.equal(before, null);
  await page.getByRole("button", { name: "Draw" }).click();
  await reaches(page, "done");
  assert.deepEqual(await told(page), ["progress", "load", "generatestart", "scale", "generateend"]);
  progressed(await page.evaluate(() => Reflect.get(window, "progress")), folder, heavy());
  assert.deepEqual(await page.evaluate(() => Reflect.get(window, "device")), { name: "cpu", reason: "as chosen" });
  const { bits, label, custom } = await page.locator("infinity-image").evaluate((element) => ({
    bits: /** @type {any} */ (element).bits,
    label: element.shadowRoot?.querySelector("canvas")?.getAttribute("aria-label"),
    custom: element.matches(":state(done)"),
  }));
  assert.equal(bits.aspect, "1:1");
  assert.deepEqual(bits.bits.map((/** @type {number[]} */ words) => words.length), [1, 4, 16, 36, 64]);
  assert.equal(label, "a red apple");
  assert.ok(custom);
  assert.ok(await page.locator("infinity-image .before").isHidden(), "nothing shines through the image");
  const first = await look(page);
  await page.locator("infinity-image").evaluate((element) => /** @type {any} */ (element).generate({ seed: 7 }));
  assert.deepEqual((await look(page)).colors, first.colors, "the same seed drew another image");
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
  assert.notDeepEqual(a.colors, b.colors);
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

test("cancel ends a download that nobody else waits for; the next start takes it up again", async () => {
  const one = (/** @type {string} */ id) => `<infinity-image id="${id}" loading="manual" src="${MODEL}" prompt="a red apple" seed="1"></infinity-image>`;
  const { page, errors, workers } = await open(one("a") + one("b"));
  const none = async () => {
    for (let i = 0; i < 100 && page.workers().length > 0; i++) await page.waitForTimeout(50);
    return page.workers().length === 0;
  };
  const start = (/** @type {string} */ id, options = {}) =>
    page.locator(id).evaluate((element, options) => {
      const ended = /** @type {any} */ (element).generate(options).then(() => "drawn", (/** @type {Error} */ error) => error.name);
      Object.assign(window, { [element.id]: ended });
    }, options);
  const ended = (/** @type {string} */ id) => page.evaluate((id) => Reflect.get(window, id), id);
  const cancel = (/** @type {string} */ id) => page.locator(id).evaluate((element) => /** @type {any} */ (element).cancel());
  await page.route("**/*.safetensors", () => {}); // never answered
  await page.waitForFunction(() => customElements.get("infinity-image"));

  const asked = page.waitForRequest("**/*.safetensors");
  await start("#a");
  await asked;
  await start("#b");
  await cancel("#a");
  assert.equal(await ended("a"), "AbortError");
  await page.waitForTimeout(300);
  assert.equal(page.workers().length, 1, "the other one still waits");
  await start("#b", { prompt: "a green pear" });
  await page.waitForTimeout(300);
  assert.deepEqual([page.workers().length, workers()], [1, 1], "another prompt is no reason to begin again");
  await cancel("#b");
  assert.equal(await ended("b"), "AbortError");
  assert.ok(await none(), "the download goes on for nobody");
  await reaches(page, "idle", "#b");

  const signalled = await page.locator("#a").evaluate((element) => {
    const ending = new AbortController();
    element.addEventListener("progress", () => ending.abort(), { once: true });
    return /** @type {any} */ (element).generate({ signal: ending.signal }).catch((/** @type {Error} */ error) => error.name);
  });
  assert.equal(signalled, "AbortError");
  assert.ok(await none(), "a signal ends it as cancel does");

  await page.unroute("**/*.safetensors");
  await start("#a");
  assert.equal(await ended("a"), "drawn");
  await cancel("#a");
  await start("#a");
  assert.equal(await ended("a"), "drawn");
  assert.equal(workers(), 3, "what is loaded stays");
  assert.deepEqual(errors.filter((error) => !error.includes("ERR_ABORTED")), []);
  await page.close();
});

test("the image's label and its file's name say what is shown, not what is next", async () => {
  const { page, errors } = await open(`<infinity-image controls loading="manual" src="${MODEL}" prompt="a red apple"></infinity-image>`);
  await page.getByRole("button", { name: "Draw" }).click();
  await reaches(page, "done");
  await page.locator("infinity-image").evaluate((element) => element.setAttribute("prompt", "a green pear"));
  assert.equal(await page.getByRole("img").getAttribute("aria-label"), "a red apple");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save as PNG" }).click()]);
  assert.equal(download.suggestedFilename(), "a-red-apple.png");
  const labels = await page.locator("infinity-image").evaluate(async (found) => {
    const element = /** @type {import("../../www/embed/element.js").InfinityImage} */ (found);
    const canvas = element.shadowRoot?.querySelector("canvas");
    const labels = [canvas?.ariaLabel];
    const drawing = element.generate({ prompt: "a blue car" });
    labels.push(canvas?.ariaLabel);
    element.addEventListener("scale", () => labels.push(canvas?.ariaLabel), { once: true });
    await drawing;
    return [...labels, canvas?.ariaLabel];
  });
  assert.deepEqual(labels, ["a red apple", "a red apple", "a blue car", "a blue car"]);
  assert.deepEqual(errors, []);
  await page.close();
});

test("base-url: worker and wasm from another folder, of another origin or of this one", async (t) => {
  const other = await host(install("element-elsewhere", {}));
  t.after(() => other.close());
  cpSync(DIST, join(folder, "moved"), { recursive: true });
  const { page, errors } = await open(`<infinity-image src="${MODEL}" prompt="a red apple" base-url="${other.url}node_modules/infinity-web/dist/"></infinity-image>`);
  await page.getByRole("button", { name: "Draw" }).click();
  await reaches(page, "done");
  const ours = () => heavy().filter((path) => /worker\.js$|\.wasm$/.test(path));
  assert.deepEqual(ours(), []);
  assert.deepEqual(other.requests.filter((path) => path.endsWith(".wasm")), ["/node_modules/infinity-web/dist/infinity-web_bg.wasm"]);
  await page.locator("infinity-image").evaluate((element) => Object.assign(element, { baseUrl: "moved/" }));
  await page.waitForFunction(() => /** @type {string[]} */ (Reflect.get(window, "events")).filter((name) => name === "generateend").length === 2, null, { timeout: 60_000 });
  assert.deepEqual(ours(), ["/moved/worker.js", "/moved/infinity-web_bg.wasm"]);
  assert.equal(page.workers().length, 1);
  assert.deepEqual(errors, []);
  await page.close();
});

test("a second copy of the package leaves the element to the first", async () => {
  cpSync(DIST, join(folder, "copy"), { recursive: true });
  const { page, errors } = await open(`<infinity-image src="${MODEL}" prompt="a red apple"></infinity-image><script type="module" src="/copy/embed/element.js"></script>`);
  const found = await page.evaluate(async (addresses) => {
    const copies = await Promise.all(addresses.map((address) => import(address)));
    const defined = customElements.get("infinity-image");
    return copies.map(({ InfinityImage }) => InfinityImage === defined);
  }, ["/copy/embed/element.js", "/node_modules/infinity-web/dist/embed/element.js"]);
  assert.deepEqual(found, [true, false]);
  await page.getByRole("button", { name: "Draw" }).click();
  await reaches(page, "done");
  assert.ok(heavy().includes("/copy/worker.js"));
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

/** What a cache may mix: a worker that is older than the page, and a wasm that is older than both. @type {Record<string, string>} */
const OLDER = {
  "worker.js": 'postMessage({ type: "ready", protocol: 1 });',
  "infinity-web.js": 'export * from "./built.js"; export { default } from "./built.js"; export const protocol = () => 1;',
};
for (const [file, text] of Object.entries(OLDER)) {
  test(`another version's ${file} is refused`, async () => {
    const { page } = await open(`<infinity-image prompt="a red apple" src="${MODEL}"></infinity-image>`);
    const plain = site.replace;
    site.replace = (path) => {
      if (path.endsWith("/built.js")) return readFileSync(join(DIST, "infinity-web.js"), "utf8");
      return path.endsWith(`/${file}`) ? text : plain(path);
    };
    await page.locator("infinity-image").evaluate((element) => {
      element.addEventListener("error", (event) => Object.assign(window, { code: /** @type {CustomEvent} */ (event).detail.code }));
    });
    await page.getByRole("button", { name: "Draw" }).click();
    await reaches(page, "error");
    assert.equal(await page.evaluate(() => Reflect.get(window, "code")), "protocol");
    assert.match((await page.getByRole("alert").textContent()) ?? "", /different versions/);
    await page.close();
  });
}

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

test("every state has its looks, in light and in dark, and is accessible", async () => {
  const style = "<style>html { color-scheme: light dark; background: Canvas; font-family: system-ui } main { display: grid; grid-template-columns: repeat(3, 220px); gap: 20px; padding: 20px } h1 { grid-column: 1 / -1; margin: 0; font-size: 16px } infinity-image { --infinity-size: 220px }</style>";
  const body = `${style}<main><h1>Every state</h1>
    <infinity-image prompt="a red apple"></infinity-image>
    <infinity-image prompt="a red apple" poster="${POSTER}" controls></infinity-image>
    <infinity-image prompt="a red apple" loading="manual"><p>Drawn in your browser</p></infinity-image>
    <infinity-image id="loading" prompt="a red apple" src="/slow/manifest.json" poster="${POSTER}" controls></infinity-image>
    <infinity-image id="drawing" prompt="a red apple" seed="1" src="${MODEL}" controls></infinity-image>
    <infinity-image id="done" prompt="a red apple" seed="2" src="${MODEL}" controls></infinity-image>
    <infinity-image id="error" prompt="a red apple" src="/nowhere/manifest.json"></infinity-image>
    <infinity-image id="fallback" prompt="a red apple" src="/nowhere/manifest.json" poster="${POSTER}"><p>No picture today</p></infinity-image></main>`;
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    const { page } = await open(body, { colorScheme, viewport: { width: 760, height: 900 } });
    await page.route("**/slow/**", () => {});
    await page.evaluate(holdAfterThirdScale);
    const start = (/** @type {string} */ id) => page.locator(id).evaluate((element) => void (/** @type {any} */ (element).generate().catch(() => {})));
    for (const id of ["#done", "#error", "#fallback", "#loading"]) await start(id);
    await reaches(page, "done", "#done");
    await reaches(page, "error", "#error");
    await reaches(page, "error", "#fallback");
    await page.locator("#drawing").evaluate((element) => element.addEventListener("scale", (event) => Object.assign(window, { drawn: /** @type {CustomEvent} */ (event).detail.k })));
    await start("#drawing");
    await page.waitForFunction(() => Reflect.get(window, "drawn") === 3, null, { timeout: 60_000 });
    assert.deepEqual(await page.locator("[id]").evaluateAll((elements) => elements.map((element) => /** @type {any} */ (element).state)), ["loading", "drawing", "done", "error", "error"]);
    const [text, error] = await page.locator("#fallback").evaluate((element) => [element.firstElementChild, element.shadowRoot?.querySelector(".error")].map((part) => part?.getBoundingClientRect()));
    assert.ok((text?.bottom ?? 0) <= (error?.top ?? 0), "the error lies over the fallback");
    await screenshot(page, `npm-element-${colorScheme}`);
    await check(page, colorScheme);
    const contrast = await page.locator("#error").evaluate((element) => getComputedStyle(/** @type {Element} */ (element.shadowRoot?.querySelector(".error"))).color);
    assert.equal(contrast, colorScheme === "light" ? "rgb(140, 29, 18)" : "rgb(255, 201, 192)");
    await page.close();
  }
});

/** In the page: of the image with the seed 1 nothing arrives after its third scale, so that it stands still. */
function holdAfterThirdScale() {
  let held = false;
  const { addEventListener } = Worker.prototype;
  Worker.prototype.addEventListener = function (/** @type {string} */ type, /** @type {any} */ hear, /** @type {any} */ options) {
    addEventListener.call(
      this,
      type,
      (event) => {
        const said = event instanceof MessageEvent ? event.data : {};
        if (held) return;
        hear(event);
        held = said.type === "scale" && said.k === 3 && /** @type {any} */ (document.querySelector("#drawing")).state === "drawing";
      },
      options,
    );
  };
}

/** Names between back-ticks in the sentence about styles of the package's README. */
function styling() {
  const [, custom = "", parts = ""] = /^Style it with ([^]*?) and with the parts ([^]*?)\./m.exec(readFileSync("npm/README.md", "utf8")) ?? [];
  const names = (/** @type {string} */ text) => Array.from(text.matchAll(/`([^`]+)`/g), ([, name = ""]) => name);
  return { custom: names(custom), parts: names(parts) };
}

test("every part and property that the README lists is there, no other is, and each takes a page's style", async () => {
  const { custom, parts } = styling();
  const own = {
    "--infinity-size": "300px", "--infinity-accent": "#0a6b4f", "--infinity-on-accent": "#fffbe6", "--infinity-background": "#fbf3df",
    "--infinity-color": "#3b2a1a", "--infinity-border": "#b08a4a", "--infinity-radius": "2px", "--infinity-font": "15px/1.5 Georgia, serif",
  };
  assert.deepEqual(Object.keys(own).sort(), [...custom].sort());
  const looks = `infinity-image { ${Object.entries(own).map(([name, value]) => `${name}: ${value}`).join("; ")} }
    infinity-image::part(frame) { outline: 3px double #b08a4a; outline-offset: 3px }
    infinity-image::part(button) { text-transform: uppercase; letter-spacing: 0.06em }
    infinity-image::part(prompt) { font-style: italic }
    infinity-image::part(bar) { block-size: 8px }
    ${parts.map((part) => `infinity-image::part(${part}) { --seen-${part}: yes }`).join("\n")}
    html { background: #fffaf0 } main { display: grid; grid-template-columns: repeat(2, 300px); gap: 24px; padding: 20px }`;
  const { page, errors } = await open(`<style>${looks}</style><main>
    <infinity-image prompt="a red apple" poster="${POSTER}"></infinity-image>
    <infinity-image id="loading" prompt="a red apple" src="/slow/manifest.json" controls></infinity-image>
    <infinity-image id="done" prompt="a red apple" seed="2" src="${MODEL}" controls></infinity-image>
    <infinity-image id="error" prompt="" src="${MODEL}" controls></infinity-image></main>`, { viewport: { width: 680, height: 480 } });
  await page.route("**/slow/**", () => {});
  for (const id of ["#loading", "#done", "#error"]) await page.locator(id).evaluate((element) => void (/** @type {any} */ (element).generate().catch(() => {})));
  await reaches(page, "done", "#done");
  await reaches(page, "error", "#error");
  await screenshot(page, "npm-element-styled");
  const found = await page.locator("#done").evaluate((element) => {
    const shadow = /** @type {ShadowRoot} */ (element.shadowRoot);
    const named = Array.from(shadow.querySelectorAll("[part]"), (part) => Array.from(part.part, (name) => ({ name, seen: getComputedStyle(part).getPropertyValue(`--seen-${name}`) })));
    const rules = shadow.adoptedStyleSheets.flatMap((sheet) => Array.from(sheet.cssRules, ({ cssText }) => cssText)).join("\n");
    const style = (/** @type {string} */ selector) => getComputedStyle(/** @type {Element} */ (shadow.querySelector(selector)));
    return {
      parts: named.flat(),
      custom: [...new Set(rules.match(/--infinity-[a-z-]+/g))],
      looks: {
        size: element.getBoundingClientRect().width, accent: style(".go").backgroundColor, onAccent: style(".go").color, background: style(".frame").backgroundColor,
        color: style("input").color, border: style("input").borderTopColor, radius: style(".frame").borderRadius, font: style("input").fontFamily,
      },
    };
  });
  assert.deepEqual([...new Set(found.parts.map(({ name }) => name))].sort(), [...parts].sort());
  assert.deepEqual(found.parts.filter(({ seen }) => seen !== "yes"), [], "a page's rule reaches it");
  assert.deepEqual(found.custom.sort(), [...custom].sort());
  assert.deepEqual(found.looks, {
    size: 300, accent: "rgb(10, 107, 79)", onAccent: "rgb(255, 251, 230)", background: "rgb(251, 243, 223)",
    color: "rgb(59, 42, 26)", border: "rgb(176, 138, 74)", radius: "2px", font: "Georgia, serif",
  });
  assert.deepEqual(errors, []);
  await page.close();
});
