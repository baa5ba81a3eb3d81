// Installs the packed packages as a newcomer would, and serves what comes of it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createReadStream, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Where `make npm-test` packs to. */
const PACKAGES = join(root, "target/npm-test/packages");
/** Outside of the project, whose node_modules a bundler would find from within. Gone when the tests of a file are through. */
const WORKSHOP = mkdtempSync(join(realpathSync(tmpdir()), "infinity-web-"));
process.on("exit", () => rmSync(WORKSHOP, { recursive: true, force: true }));
const FILE = /<!-- file: (\S+) -->\n```\w*\n([^]*?)```/g;
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".png": "image/png",
  ".wasm": "application/wasm",
};

/** Paths of the tarballs. */
export function tarballs() {
  return readdirSync(PACKAGES).filter((name) => name.endsWith(".tgz")).map((name) => join(PACKAGES, name));
}

/**
 * The files of one recipe, as they are printed in the package's README.
 * @param {string} recipe
 * @returns {Record<string, string>}
 */
export function printed(recipe) {
  const readme = readFileSync(join(root, "npm/README.md"), "utf8");
  const files = [...readme.matchAll(FILE)].map(([, path = "", text = ""]) => [path, text]);
  const own = files.filter(([path]) => path?.startsWith(`${recipe}/`)).map(([path, text]) => [path?.slice(recipe.length + 1), text]);
  if (own.length === 0) throw new Error(`the README has no recipe ${recipe}`);
  return Object.fromEntries(own);
}

/**
 * The content security policy that the package's README prints.
 * @param {string} [other] the origin that everything comes from, if not the page's own
 */
export function policy(other) {
  const [own, elsewhere] = Array.from(readFileSync(join(root, "npm/README.md"), "utf8").matchAll(/`(script-src [^`]+)`/g), ([, text]) => text);
  if (!own || !elsewhere) throw new Error("the README does not print both policies");
  return `default-src 'none'; ${other === undefined ? own : elsewhere.replaceAll("https://cdn.example", other)}`;
}

/**
 * The lines of the project's README that put `make npm`'s tarballs on a page, run in a new folder as if that was the checkout.
 * @returns {string} the folder of the page
 */
export function pasted() {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const [, lines] = /^((?: {4}.*\n)* {4}npm install [^]*?) {4}npx serve target\/try\n/m.exec(readme) ?? [];
  if (!lines) throw new Error("the README does not say how to try the tarballs");
  const checkout = join(WORKSHOP, "pasted");
  mkdirSync(join(checkout, "target"), { recursive: true });
  symlinkSync(PACKAGES, join(checkout, "target/npm"));
  execFileSync("bash", ["-euc", lines.replace(/^ {4}/gm, "")], { cwd: checkout, env: { ...process.env, npm_config_offline: "true" } });
  return join(checkout, "target/try");
}

/**
 * A new folder with the packages installed and some files beside them.
 * @param {string} name
 * @param {Record<string, string>} files
 * @param {string[]} [others] packages that the recipe needs besides, of those that this project has
 */
export function install(name, files, others = []) {
  const folder = join(WORKSHOP, name);
  for (const [path, text] of Object.entries({ "package.json": '{ "private": true, "type": "module" }\n', ...files })) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  execFileSync("npm", ["install", "--offline", "--no-audit", "--no-fund", "--loglevel=error", ...tarballs()], { cwd: folder });
  for (const other of others) {
    const link = join(folder, "node_modules", other);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(root, "node_modules", other), link);
  }
  return folder;
}

/**
 * @typedef {object} Host
 * @property {string} url
 * @property {string[]} requests paths, in their order
 * @property {(path: string) => string | undefined} replace another answer for a path
 * @property {() => void} close
 */

/**
 * Serves a folder on a free port, to pages of every origin.
 * @param {string} folder
 * @param {Record<string, string>} [headers]
 * @returns {Promise<Host>}
 */
export async function host(folder, headers = {}) {
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname));
    // Browsers ask for it by themselves.
    if (path === "/favicon.ico") return response.end();
    served.requests.push(path);
    const file = join(folder, path.endsWith("/") ? `${path}index.html` : path);
    const type = /** @type {Record<string, string>} */ (TYPES)[extname(file)] ?? "application/octet-stream";
    for (const [name, value] of Object.entries({ "Access-Control-Allow-Origin": "*", "Content-Type": type, ...headers })) {
      response.setHeader(name, value);
    }
    const replaced = served.replace(path);
    if (replaced !== undefined) return response.end(replaced);
    try {
      response.setHeader("Content-Length", (await stat(file)).size);
      createReadStream(file).pipe(response);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const address = server.address();
  if (!address || typeof address === "string") throw new Error("the server has no port");
  /** @type {Host} */
  const served = {
    url: `http://localhost:${address.port}/`,
    requests: [],
    replace: () => undefined,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
  return served;
}

/**
 * The element's image as colors, once it is in that state.
 * @param {import("playwright-core").Page} page
 * @param {"done" | "error" | "idle" | "drawing" | "loading"} state
 * @param {string} [selector]
 */
export async function reaches(page, state, selector = "infinity-image") {
  await page.waitForFunction(
    ([selector, state]) => {
      const element = /** @type {any} */ (document.querySelector(selector ?? ""));
      if (element?.state === "error" && state !== "error") throw new Error(element.shadowRoot.querySelector(".error p").textContent);
      return element?.state === state;
    },
    [selector, state],
    { timeout: 60_000 },
  );
}

/**
 * Width and height of the element's image and how much its colors differ.
 * @param {import("playwright-core").Page} page
 * @param {string} [selector]
 */
export function look(page, selector = "infinity-image") {
  return page.locator(selector).evaluate(async (element) => {
    const blob = await /** @type {any} */ (element).toBlob();
    const bitmap = await createImageBitmap(blob);
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
    context?.drawImage(bitmap, 0, 0);
    const data = context?.getImageData(0, 0, bitmap.width, bitmap.height).data ?? [];
    const colors = Array.from(data).filter((_, i) => i % 4 !== 3);
    const mean = colors.reduce((a, b) => a + b, 0) / colors.length;
    const deviation = Math.sqrt(colors.reduce((a, b) => a + (b - mean) ** 2, 0) / colors.length);
    return { width: bitmap.width, height: bitmap.height, deviation, colors };
  });
}

/**
 * What a load told of itself on the way: bytes of all that it asked for, in the documented form.
 * @param {import("../../www/embed/engine.js").Progress[]} events
 * @param {string} folder where the packages are installed
 * @param {string[]} requests of that load
 */
export function progressed(events, folder, requests) {
  const files = requests.filter((path) => /\.(wasm|safetensors)$|\/tokenizer\.json$/.test(path));
  const bytes = files.reduce((sum, path) => sum + statSync(join(folder, path)).size, 0);
  assert.ok(events.length > 1, `${events.length} events`);
  for (const [i, event] of events.entries()) {
    assert.deepEqual(Object.keys(event).sort(), ["loaded", "note", "phase", "speed", "total", "type"]);
    const { type, phase, loaded, total, speed, note } = event;
    assert.deepEqual([type, note], ["progress", ""]);
    assert.equal(phase, loaded < total ? "download" : "build");
    assert.ok(loaded >= (events[i - 1]?.loaded ?? 0) && speed >= 0, JSON.stringify(events));
  }
  const { phase, loaded, total } = events.at(-1) ?? {};
  assert.deepEqual({ phase, loaded, total }, { phase: "build", loaded: bytes, total: bytes });
}
