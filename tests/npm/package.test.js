// What is in the tarballs: entry points and types that every tool finds, and sizes within what the README says.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { install, printed, tarballs } from "./workshop.js";

const SCRIPTS = 30_000;

const folder = install("package", {
  "jsx.d.ts": printed("types")["jsx.d.ts"] ?? "",
  "use.tsx": `
import { Engine, EngineError, type Scale } from "infinity-web/engine";
import { InfinityImage } from "infinity-web";
import model from "infinity-web-emoji";

export async function draw(signal: AbortSignal): Promise<Scale[]> {
  const engine = await Engine.load(model, { signal, onProgress: ({ loaded, total }) => loaded / total, device: "cpu" });
  const scales: Scale[] = [];
  try {
    for await (const scale of engine.generate({ prompt: "a red apple", cfg: [1, 2, 3], signal })) scales.push(scale);
    for await (const { image } of engine.edit({ aspect: "1:1", bits: scales.map(({ bits }) => bits) }, { prompt: "a pear", scales: 2 })) image.data;
  } catch (error) {
    if (error instanceof EngineError && error.code === "busy") return [];
    // @ts-expect-error: there is no such code
    if (error instanceof EngineError && error.code === "bussy") return [];
    throw error;
  }
  // @ts-expect-error: a prompt is needed
  engine.generate({ seed: 1 });
  return scales;
}

const element = document.querySelector("infinity-image");
element?.addEventListener("scale", ({ detail }) => detail.image.width);
element?.addEventListener("click", ({ clientX }) => clientX);
// @ts-expect-error: a scale has no such thing
element?.addEventListener("scale", ({ detail }) => detail.nothing);
export const made: InfinityImage = document.createElement("infinity-image");
export const size: Promise<number | undefined> = made.toBlob().then((blob) => blob?.size);
export const picture = <infinity-image prompt="a red apple" seed={1} controls />;
// @ts-expect-error: seeds are numbers
export const wrong = <infinity-image prompt="a red apple" seed="one" />;
`,
  "tsconfig.json": JSON.stringify({
    compilerOptions: {
      strict: true, exactOptionalPropertyTypes: true, noEmit: true, module: "nodenext", target: "es2024", lib: ["es2024", "dom", "dom.iterable"],
      jsx: "react-jsx", types: [],
    },
    files: ["use.tsx", "jsx.d.ts"],
  }),
}, ["@types/react"]);

for (const tarball of tarballs()) {
  const name = tarball.split("/").at(-1);
  test(`publint finds nothing in ${name}`, () => {
    const { status, stdout } = spawnSync("npx", ["publint", "--strict", tarball], { encoding: "utf8" });
    assert.equal(status, 0, stdout);
    assert.match(stdout, /All good!/);
  });
  test(`the types of ${name} are found by every way of resolving them`, () => {
    // The wasm is exported for its address, which has no types; CommonJS and resolvers without exports are not served.
    const { status, stdout } = spawnSync("npx", ["attw", tarball, "--profile", "esm-only", "--exclude-entrypoints", "infinity-web_bg.wasm"], { encoding: "utf8" });
    assert.equal(status, 0, stdout);
  });
}

test("types: a project in strict TypeScript, with React's tags", () => {
  const { status, stdout } = spawnSync("npx", ["tsc", "--project", folder], { encoding: "utf8" });
  assert.equal(status, 0, stdout);
});

test("a server can import all of it", () => {
  const code = 'await import("infinity-web"); await import("infinity-web/engine"); console.log((await import("infinity-web-emoji")).model.files["tokenizer.json"])';
  const said = execFileSync(process.execPath, ["--input-type=module", "--eval", code], { cwd: folder, encoding: "utf8" });
  assert.match(said, /^file:.*tokenizer\.json$/m);
});

test("all scripts together stay below 30 kB with gzip, and are as large as is said", () => {
  const dist = join(folder, "node_modules/infinity-web/dist");
  const scripts = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".js"));
  assert.ok(scripts.includes("worker.js") && scripts.includes("infinity-web.js"));
  const bytes = scripts.reduce((sum, path) => sum + gzipSync(readFileSync(join(dist, path)), { level: 9 }).length, 0);
  assert.ok(bytes < SCRIPTS, `${bytes} bytes`);
  for (const [file, said] of /** @type {const} */ ([["npm/README.md", /all scripts together \| (\d+) kB/], ["ARCHITECTURE.md", /(\d+) kB of gzip in all/]])) {
    const [, kilobytes] = said.exec(readFileSync(file, "utf8")) ?? [];
    assert.ok(Math.abs(bytes / 1000 - Number(kilobytes)) < 1, `${file} says ${kilobytes} kB of ${bytes} bytes`);
  }
});

test("the wasm is as large as is said", async (t) => {
  const wasm = readFileSync(join(folder, "node_modules/infinity-web/dist/infinity-web_bg.wasm"));
  // What is built for size keeps the names of its imports alone, a page for tests those of all its functions.
  const [names] = WebAssembly.Module.customSections(await WebAssembly.compile(wasm), "name");
  if (names && names.byteLength > 1e6) return t.skip("a page for tests is packed");
  const megabytes = gzipSync(wasm, { level: 9 }).length / 1e6;
  for (const [file, said] of /** @type {const} */ ([["npm/README.md", /WebAssembly, when the first image is asked for \| ([\d.]+) MB/], ["README.md", /MB of wasm, ([\d.]+) MB where/]])) {
    const [, stated] = said.exec(readFileSync(file, "utf8")) ?? [];
    assert.ok(Math.abs(megabytes / Number(stated) - 1) < 0.1, `${file} says ${stated} MB of ${megabytes} MB`);
  }
});

/** @param {string} folder @param {{ tokenizer: { file: string }, shards: { file: string }[] }} manifest */
function sizes(folder, { tokenizer, shards }) {
  const files = [tokenizer, ...shards].map(({ file }) => readFileSync(join(folder, file)));
  const sum = (/** @type {Buffer[]} */ buffers) => (buffers.reduce((bytes, { length }) => bytes + length, 0) / 1e6).toFixed(1);
  return { plain: sum(files), packed: sum(files.map((file) => gzipSync(file, { level: 9 }))) };
}

test("the sizes of models are as they are said", () => {
  const own = join(folder, "node_modules/infinity-web-emoji");
  const tiny = sizes(own, JSON.parse(readFileSync(join(own, "manifest.json"), "utf8")));
  const card = readFileSync(join(own, "README.md"), "utf8");
  assert.ok(card.includes(`\n## Size\n\n${tiny.plain} MB, ${tiny.packed} MB with gzip: `), card);
  const shipped = sizes("models/default", JSON.parse(readFileSync("models/default/manifest.json", "utf8")));
  assert.ok(readFileSync("npm/README.md", "utf8").includes(`| model \`infinity-web-emoji\` | ${shipped.packed} MB, ${shipped.plain} MB plain; `), JSON.stringify(shipped));
});

test("every version that the READMEs name is the one that is packed", () => {
  const [, version] = /^version = "(.+)"$/m.exec(readFileSync("Cargo.toml", "utf8")) ?? [];
  for (const name of ["infinity-web", "infinity-web-emoji"]) {
    assert.equal(JSON.parse(readFileSync(join(folder, "node_modules", name, "package.json"), "utf8")).version, version, name);
  }
  for (const file of ["README.md", "npm/README.md"]) {
    const named = Array.from(readFileSync(file, "utf8").matchAll(/infinity-web(?:-emoji)?[@-](\d[^/\s]*?)(?:\/|\.tgz)/g), ([, named]) => named);
    assert.deepEqual([...new Set(named)], [version], file);
  }
});

test("the model's package has its licences, says how it is used, and names no twin that it has not", () => {
  const model = join(folder, "node_modules/infinity-web-emoji");
  const files = readdirSync(model);
  for (const file of ["LICENSE-MIT", "LICENSE-APACHE", "THIRD_PARTY_LICENSES"]) {
    assert.equal(readFileSync(join(model, file), "utf8"), readFileSync(file, "utf8"), file);
  }
  assert.match(readFileSync(join(model, "README.md"), "utf8"), /npm install infinity-web infinity-web-emoji\n[^]*import "infinity-web-emoji"/);
  const manifest = JSON.parse(readFileSync(join(model, "manifest.json"), "utf8"));
  const source = JSON.parse(readFileSync("target/tiny-model/manifest.json", "utf8"));
  assert.ok(source.twin, "there is one to leave out");
  assert.deepEqual(manifest, Object.fromEntries(Object.entries(source).filter(([name]) => name !== "twin")));
  for (const { file } of [manifest.tokenizer, ...manifest.shards]) assert.ok(files.includes(file), file);
});

test("the wasm's constructors run once and not before every call", () => {
  // The names that the linker gives to exports which run them (src/web/lib.rs).
  assert.doesNotMatch(readFileSync(join(folder, "node_modules/infinity-web/dist/infinity-web.js"), "utf8"), /command_export/);
});

test("no path of the machine that packed it is in the package", () => {
  const dist = join(folder, "node_modules/infinity-web/dist");
  for (const path of readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((path) => /\.(js|ts)$/.test(path))) {
    assert.ok(!readFileSync(join(dist, path), "utf8").includes(process.cwd()), path);
  }
});
