// The service worker keeps exactly the files that the page is made of.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { assemble } from "../scripts/page-scripts.js";

const www = fileURLToPath(new URL("../www", import.meta.url));
/** Made by the build, besides what is copied. */
const MADE = ["infinity-web.js", "infinity-web_bg.wasm", "engine-size.js"];

/** Paths of all files of a folder. @param {string} folder */
function list(folder) {
  const found = readdirSync(folder, { recursive: true, withFileTypes: true });
  return found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

test("every script is built into the page and kept for visits without a connection", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "infinity-page-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const [built, page] = [join(folder, "built"), join(folder, "page")];
  mkdirSync(built);
  for (const file of ["infinity-web.js", "infinity-web_bg.wasm"]) writeFileSync(join(built, file), "wasm");
  assemble(built, page);
  const files = list(page);

  // The embedded element comes with the npm package only, declarations with neither.
  const scripts = list(www).filter((path) => /\.(js|css|svg|png)$/.test(path) && !path.startsWith("embed/"));
  assert.ok(scripts.length > 60, `${scripts.length} files`);
  assert.deepEqual(scripts.filter((path) => !files.includes(path)), []);

  const [, kept = ""] = /const FILES = (\[[^\]]*\])/.exec(readFileSync(join(page, "sw.js"), "utf8")) ?? [];
  const [, later = ""] = /const LATER = (\[[^\]]*\])/.exec(readFileSync(join(page, "sw.js"), "utf8")) ?? [];
  const own = files.filter((path) => !path.startsWith("models/") && path !== "sw.js");
  assert.deepEqual(
    [...JSON.parse(kept), ...JSON.parse(later)].sort(),
    own.map((path) => (path === "index.html" ? "./" : path)).sort(),
  );

  // What a script imports is there too.
  for (const path of files.filter((path) => path.endsWith(".js"))) {
    const text = readFileSync(join(page, path), "utf8");
    for (const [, imported = ""] of text.matchAll(/^(?:import|export)\b[^"]*"(\.[^"]+)";$/gm)) {
      assert.ok(files.includes(normalize(join(dirname(path), imported))), `${path} imports ${imported}`);
    }
  }
  assert.deepEqual(MADE.filter((path) => !files.includes(path)), []);
});
