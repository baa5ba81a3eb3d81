// Every recipe of the package's README, from the tarballs to an image in headless Chromium.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { build, createServer } from "vite";
import webpack from "webpack";
import { launch, screenshot, watch } from "../e2e/visit.js";
import { host, install, look, pasted, policy, printed, reaches } from "./workshop.js";

/** @type {import("playwright-core").Browser} */
let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

/**
 * Opens a page, presses Draw and checks that an image comes.
 * @param {string} url
 */
async function drawn(url) {
  const page = await browser.newPage();
  const errors = watch(page);
  await page.goto(url);
  await page.getByRole("button", { name: "Draw" }).click();
  await reaches(page, "done");
  const image = await look(page);
  assert.deepEqual([image.width, image.height], [128, 128]);
  assert.ok(image.deviation > 2, `the image is blank: deviation ${image.deviation}`);
  assert.deepEqual(errors, []);
  return page;
}

/**
 * Serves a folder while a test runs.
 * @param {import("node:test").TestContext} t
 * @param {string} folder
 * @param {Record<string, string>} [headers]
 */
async function serving(t, folder, headers) {
  const site = await host(folder, headers);
  t.after(() => site.close());
  return site;
}

/**
 * A server that has both packages where a CDN of npm packages has them, and the version that is in their addresses.
 * @param {import("node:test").TestContext} t
 * @param {string} name
 */
async function publish(t, name) {
  const folder = install(name, {});
  const { version } = JSON.parse(readFileSync(join(folder, "node_modules/infinity-web/package.json"), "utf8"));
  mkdirSync(join(folder, "npm"));
  for (const name of ["infinity-web", "infinity-web-emoji"]) renameSync(join(folder, "node_modules", name), join(folder, `npm/${name}@${version}`));
  return { folder, version, cdn: await serving(t, folder) };
}

test("a script and a tag, under a strict content security policy", async (t) => {
  const folder = install("bare", printed("bare"));
  const site = await serving(t, folder, { "Content-Security-Policy": policy() });
  const page = await drawn(site.url);
  await page.close();
});

test("the tarballs of make npm on a page, by the lines of the project's README", async (t) => {
  const site = await serving(t, pasted());
  const page = await drawn(site.url);
  await page.close();
});

test("the quick start: everything from another origin, which knows the model by its package's name", async (t) => {
  const { "index.html": html = "" } = printed("cdn");
  const { folder, version, cdn } = await publish(t, "cdn");
  const site = await serving(t, folder);
  site.replace = (path) => (path === "/" ? html.replaceAll("https://cdn.jsdelivr.net/", cdn.url) : undefined);
  assert.ok(html.includes(`https://cdn.jsdelivr.net/npm/infinity-web@${version}/`));
  const page = await drawn(site.url);
  assert.deepEqual(site.requests, ["/"]);
  assert.ok(cdn.requests.includes(`/npm/infinity-web-emoji@${version}/manifest.json`));
  await screenshot(page, "npm-quick-start");
  await page.close();
});

test("from another origin under a content security policy, which needs all that the README lists", async (t) => {
  const { "index.html": html = "" } = printed("cdn");
  const { folder, cdn } = await publish(t, "cdn-policy");
  const whole = policy(new URL(cdn.url).origin);
  const serve = async (/** @type {string} */ policy) => {
    const site = await serving(t, folder, { "Content-Security-Policy": policy });
    site.replace = (path) => (path === "/" ? html.replaceAll("https://cdn.jsdelivr.net/", cdn.url) : undefined);
    return site.url;
  };
  await (await drawn(await serve(whole))).close();
  const { origin } = new URL(cdn.url);
  for (const [needed, rest] of [["'wasm-unsafe-eval'", ""], ["blob: ", ""], [`blob: ${origin}`, "blob:"], [`connect-src ${origin}`, "connect-src 'none'"]]) {
    assert.ok(needed && whole.includes(needed), `${needed} is not in ${whole}`);
    const page = await browser.newPage();
    await page.goto(await serve(whole.replace(needed, rest ?? "")));
    await page.getByRole("button", { name: "Draw" }).click();
    await reaches(page, "error");
    await page.close();
  }
});

test("Vite, built", async (t) => {
  const folder = install("vite", printed("vite"));
  await build({ root: folder, logLevel: "error" });
  const site = await serving(t, join(folder, "dist"));
  const page = await drawn(site.url);
  await page.close();
});

test("Vite's development server", async (t) => {
  const folder = install("vite-dev", { ...printed("vite"), "public/favicon.ico": "" });
  const server = await createServer({ root: folder, logLevel: "error", server: { port: 0, host: "127.0.0.1", watch: null, hmr: false } });
  t.after(() => server.close());
  await server.listen();
  const address = server.httpServer?.address();
  const port = address && typeof address !== "string" ? address.port : 0;
  const page = await drawn(`http://localhost:${port}/`);
  await page.close();
});

test("webpack", async (t) => {
  const folder = install("webpack", printed("webpack"));
  const { default: config } = await import(join(folder, "webpack.config.js"));
  const stats = await new Promise((resolve, reject) => {
    webpack({ ...config, context: folder, output: { path: join(folder, "dist") }, performance: { hints: false } }, (error, stats) =>
      error ? reject(error) : resolve(stats),
    );
  });
  assert.deepEqual(stats.toJson({ all: false, errors: true, warnings: true }).errors, []);
  assert.deepEqual(stats.toJson({ all: false, errors: true, warnings: true }).warnings, []);
  const site = await serving(t, join(folder, "dist"));
  site.replace = (path) => (path === "/" ? '<!doctype html><body><script src="main.js"></script>' : undefined);
  const page = await drawn(site.url);
  await page.close();
});

test("React in StrictMode: one engine, events as properties, a changed prompt draws anew", async (t) => {
  const { "vite.config.js": config = "" } = printed("vite");
  const folder = install("react", {
    ...printed("react"),
    "vite.config.js": config,
    "index.html": '<!doctype html><meta charset="utf-8"><div id="root"></div><script type="module" src="/main.jsx"></script>',
  }, ["react", "react-dom"]);
  // Only React's development build mounts twice.
  await build({ root: folder, logLevel: "error", define: { "process.env.NODE_ENV": '"development"' } });
  const site = await serving(t, join(folder, "dist"));
  const page = await browser.newPage();
  const errors = watch(page);
  let [workers, developing] = [0, false];
  page.on("console", (message) => (developing ||= message.text().includes("React DevTools")));
  page.on("worker", () => workers++);
  await page.goto(site.url);
  await page.getByText("a red apple, seed 7").waitFor();
  const first = await look(page);
  await page.getByRole("button", { name: "Another" }).click();
  await page.getByText("a green pear, seed 7").waitFor();
  const second = await look(page);
  assert.notDeepEqual(first.colors, second.colors);
  assert.ok(developing);
  assert.equal(workers, 1);
  assert.equal(site.requests.filter((path) => path.endsWith(".wasm")).length, 1);
  assert.deepEqual(errors, []);
  await page.close();
});
