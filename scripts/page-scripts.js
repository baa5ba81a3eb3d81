// Puts the files of www/ as they are now around the wasm of a page that is built already: what `trunk build` would make of them, in
// a second instead of minutes, as long as no Rust has changed.
//
//   node scripts/page-scripts.js BUILT OUT
//
// BUILT is a built page (its wasm and the wasm's script are taken); OUT is emptied first, and may be BUILT itself.

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
/** A line or lines of index.html that say what Trunk does. */
const ASSET = /\s*<link\s+data-trunk\s[^>]*>/g;

/** What index.html has Trunk copy, by where it goes. @param {string} page @returns {[from: string, to: string][]} */
export function assets(page) {
  const attribute = (/** @type {string} */ link, /** @type {string} */ name) => new RegExp(`\\s${name}="([^"]*)"`).exec(link)?.[1];
  return [...page.matchAll(ASSET)].flatMap(([link]) => {
    const href = attribute(link, "href") ?? "";
    return attribute(link, "rel")?.startsWith("copy-") ? [[href, attribute(link, "data-target-path") ?? basename(href)]] : [];
  });
}

/** What stands in the page in place of such a line. @param {string} link */
function inlined(link) {
  const [, file] = /\srel="inline" href="([^"]*)"/.exec(link) ?? [];
  return file ? `\n${readFileSync(join(root, "www", file), "utf8")}` : "";
}

/**
 * @param {string} built
 * @param {string} out
 */
export function assemble(built, out) {
  mkdirSync(dirname(out), { recursive: true });
  const stage = mkdtempSync(`${out}-`);
  for (const file of ["infinity-web.js", "infinity-web_bg.wasm"]) cpSync(join(built, file), join(stage, file));
  const page = readFileSync(join(root, "www/index.html"), "utf8");
  for (const [from, to] of assets(page)) cpSync(join(root, "www", from), join(stage, to), { recursive: true });
  writeFileSync(join(stage, "index.html"), page.replace(ASSET, (link) => inlined(link)));
  execFileSync(join(root, "scripts/finish-page.sh"), [stage]);
  rmSync(out, { recursive: true, force: true });
  renameSync(stage, out);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [built, out] = process.argv.slice(2);
  if (!built || !out) throw new Error("usage: node scripts/page-scripts.js BUILT OUT");
  assemble(resolve(built), resolve(out));
}
