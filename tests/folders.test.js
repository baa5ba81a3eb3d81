// The folders of the page: arrows between them go one way, and no files import each other in a circle.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const www = fileURLToPath(new URL("../www", import.meta.url));
/** What the files of a folder may import from, besides that folder. */
const BELOW = /** @type {Record<string, string[]>} */ ({
  ui: [],
  engine: ["ui"],
  image: ["engine", "ui"],
  generate: ["image", "engine", "ui"],
  lab: ["image", "engine", "ui"],
  train: ["image", "engine", "ui"],
  dialogs: ["engine", "ui"],
  embed: ["image", "engine", "ui"],
});

/** @param {string} path */
const folder = (path) => (path.includes("/") ? path.slice(0, path.indexOf("/")) : "");
const files = readdirSync(www, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".js"));
/** What each file imports when it runs; types are no arrows. */
const imports = new Map(
  files.map((path) => {
    const code = readFileSync(join(www, path), "utf8").replaceAll(/\/\*\*[^]*?\*\//g, "");
    const found = [...code.matchAll(/(?:from|import) "(\.[^"]+)"/g)].map(([, imported = ""]) => normalize(join(dirname(path), imported)));
    return [path, found];
  }),
);

test("arrows go one way: what a visitor does stands on the image, that on the engine, all on ui", () => {
  const wrong = [...imports].flatMap(([path, found]) => {
    const [own, allowed] = [folder(path), BELOW[folder(path)]];
    // The entries at the top wire everything together. The engine's thread also imports what the build makes beside it.
    if (own === "") return [];
    assert.ok(allowed, `${own}/ has no place among the folders`);
    return found.filter((other) => folder(other) !== own && folder(other) !== "" && !allowed.includes(folder(other))).map((other) => `${path} imports ${other}`);
  });
  assert.deepEqual(wrong, []);
  // What the page and the package run in their own thread needs no code of the engine's thread, but for one look at the storage.
  const across = [...imports].flatMap(([path, found]) =>
    path === "worker.js" || path.startsWith("engine/worker/") ? [] : found.filter((other) => other.startsWith("engine/worker/")).map((other) => `${path} ${other}`),
  );
  assert.deepEqual(across, ["train/kept.js engine/worker/checkpoints.js"]);
});

test("no files import each other in a circle", () => {
  /** @type {Map<string, "open" | "done">} */
  const seen = new Map();
  /** @param {string} path @param {string[]} trail */
  const walk = (path, trail) => {
    if (seen.get(path) === "done") return;
    assert.notEqual(seen.get(path), "open", [...trail, path].join(" -> "));
    seen.set(path, "open");
    for (const other of imports.get(path) ?? []) walk(other, [...trail, path]);
    seen.set(path, "done");
  };
  for (const path of files) walk(path, []);
});
