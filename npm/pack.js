// Packs the page's own files as npm packages: the engine and its element, and a model.
//
//   node npm/pack.js PAGE OUT [MODEL NAME]
//
// PAGE is a built page (its wasm is taken), OUT gets the tarballs, MODEL is a folder with a manifest, NAME its package's name.

import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";
import { minify } from "terser";

const root = fileURLToPath(new URL("..", import.meta.url));
const www = join(root, "www");
/** Made by the build of the page. */
const BUILT = ["infinity-web.js", "infinity-web_bg.wasm", "engine-size.js"];
/** This project's own, by what a manifest calls them. */
const LICENCES = [["MIT", "LICENSE-MIT"], ["Apache-2.0", "LICENSE-APACHE"]];
const ENTRIES = ["embed/element.js", "embed/engine.js", "worker.js"];
/** What worker.js alone imports: it goes into worker.js, which then is one request in place of ten. */
const WORKER = "engine/worker/";

/** @param {string} path */
const read = (path) => readFileSync(path, "utf8");
/** @param {string} path @param {unknown} value */
const writeJson = (path, value) => writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);

/** The version of everything here is that of the crate. */
function version() {
  const [, found] = /^version = "(.+)"$/m.exec(read(join(root, "Cargo.toml"))) ?? [];
  if (!found) throw new Error("Cargo.toml has no version");
  return found;
}

/**
 * Every file that some files lead to, by what they import and by addresses relative to themselves.
 * @param {string[]} entries
 * @param {(path: string) => string | undefined} source of a path; none for what is not followed
 * @param {RegExp} link
 * @param {(path: string) => string} [rename] what it leads to
 */
function reach(entries, source, link, rename = (path) => path) {
  const found = new Set(entries);
  for (const path of found) {
    for (const [, imported, addressed] of source(path)?.matchAll(link) ?? []) {
      found.add(rename(join(dirname(path), imported ?? addressed ?? "")));
    }
  }
  return [...found].sort();
}

/** worker.js with what only it imports; the rest it imports as before. */
async function worker() {
  const own = (/** @type {string} */ id, /** @type {string | undefined} */ importer) =>
    importer === undefined || resolve(dirname(importer), id).startsWith(join(www, WORKER));
  const bundle = await rolldown({ input: join(www, "worker.js"), platform: "neutral", external: (id, importer) => !own(id, importer) });
  const { output: [{ code }, ...more] } = await bundle.generate({ format: "esm", dir: www });
  if (more.length > 0) throw new Error("the worker came out in several files");
  return code;
}

/** The same module without comments and in short names; its imports and addresses stay as they are. @param {string} code */
async function small(code) {
  const { code: short } = await minify(code, { module: true, compress: { passes: 2 } });
  if (!short) throw new Error("a script came out empty");
  return short;
}

/** @param {string} page @param {string} folder */
async function packEngine(page, folder) {
  const dist = join(folder, "dist");
  const scripts = reach(
    ENTRIES,
    (path) => (path.endsWith(".js") && !BUILT.includes(path) ? read(join(www, path)) : undefined),
    /(?:from|import) "(\.[^"]+)"|new URL\("(\.[^"]+)", import\.meta\.url\)/g,
  );
  const packed = new Set([...scripts.filter((path) => !path.startsWith(WORKER)), ...BUILT]);
  for (const path of packed) {
    const [from, to] = [join(BUILT.includes(path) ? page : www, path), join(dist, path)];
    mkdirSync(dirname(to), { recursive: true });
    if (path.endsWith(".js")) writeFileSync(to, await small(path === "worker.js" ? await worker() : read(from)));
    else cpSync(from, to);
  }
  const modules = [...packed].filter((path) => path.endsWith(".js"));
  const bytes = modules.reduce((sum, path) => sum + gzipSync(readFileSync(join(dist, path)), { level: 9 }).length, 0);
  console.log(`    all scripts: ${(bytes / 1e3).toFixed(1)} kB with gzip`);

  const types = join(folder, "types");
  execFileSync("npx", ["tsc", "--noEmit", "false", "--declaration", "--emitDeclarationOnly", "--outDir", types], { cwd: root, stdio: "inherit" });
  const declared = reach(
    ENTRIES.map((path) => path.replace(/\.js$/, ".d.ts")),
    (path) => read(join(types, "www", path)),
    /(?:from|import)\s*\(?"(\.[^"]+)\.js"/g,
    (path) => `${path}.d.ts`,
  );
  for (const path of declared) cpSync(join(types, "www", path), join(dist, path));
  rmSync(types, { recursive: true });
  writeFileSync(join(dist, "embed/element.d.ts"), read(join(dist, "embed/element.d.ts")) + read(join(root, "npm/element-events.d.ts")));

  const { name, ...rest } = JSON.parse(read(join(root, "npm/package.json")));
  writeJson(join(folder, "package.json"), { name, version: version(), ...rest });
  for (const file of ["LICENSE-MIT", "LICENSE-APACHE", "THIRD_PARTY_LICENSES", "npm/README.md"]) cpSync(join(root, file), join(folder, basename(file)));
}

/** @param {Buffer[]} files @returns {[plain: string, packed: string]} megabytes, as they are and with gzip */
const megabytes = (files) => {
  const sum = (/** @type {Buffer[]} */ buffers) => (buffers.reduce((bytes, { length }) => bytes + length, 0) / 1e6).toFixed(1);
  return [sum(files), sum(files.map((file) => gzipSync(file, { level: 9 })))];
};

/** The end of a model's README. @param {string} name @param {string} prompt @param {[string, string]} size */
const usage = (name, prompt, [plain, packed]) => `
## Size

${plain} MB, ${packed} MB with gzip: what a visitor downloads once, as the browser keeps it.

## Use

A model for [infinity-web](https://www.npmjs.com/package/infinity-web), in the browser:

    npm install infinity-web ${name}

With a bundler:

    import "infinity-web";
    import "${name}"; // its files are downloaded when somebody draws

    <infinity-image src="${name}" prompt="${prompt}"></infinity-image>

Or without the element:

    import { Engine } from "infinity-web/engine";
    import model from "${name}";

    const engine = await Engine.load(model);
`;

/** @param {string} model @param {string} name @param {string} folder */
function packModel(model, name, folder) {
  const manifest = JSON.parse(read(join(model, "manifest.json")));
  /** @type {{ file: string }[]} */
  const entries = [manifest.tokenizer, ...manifest.shards];
  const files = entries.map(({ file }) => file);
  for (const file of files) cpSync(join(model, file), join(folder, file));
  // The baseline is not packed, so nobody may look for it. What tells models apart are the hashes of their shards, not the manifest's.
  writeJson(join(folder, "manifest.json"), { ...manifest, twin: undefined });
  const licences = ["LICENSE", "LICENSE-MIT", "LICENSE-APACHE", "THIRD_PARTY_LICENSES"].filter((file) => existsSync(join(model, file)));
  for (const file of licences) cpSync(join(model, file), join(folder, file));
  if (licences.length === 0) {
    // A model of this project's own trainer: its licences, and those of the drawings that it was taught.
    const named = LICENCES.flatMap(([name = "", file = ""]) => (String(manifest.licence).includes(name) ? [file] : []));
    for (const file of [...named, "THIRD_PARTY_LICENSES"]) cpSync(join(root, file), join(folder, file));
  }
  // Each address stands here by itself, since a bundler gives every file a name of its own.
  writeFileSync(
    join(folder, "index.js"),
    `// ${manifest.name}, for infinity-web: where its files are.

const at = (url) => url.href;

export const model = {
  manifest: at(new URL("./manifest.json", import.meta.url)),
  files: {
${files.map((file) => `    ${JSON.stringify(file)}: at(new URL(${JSON.stringify(`./${file}`)}, import.meta.url)),`).join("\n")}
  },
};
export default model;

// <infinity-image src="${name}"> finds it here.
(globalThis[Symbol.for("infinity-web.models")] ??= new Map()).set(${JSON.stringify(name)}, model);
`,
  );
  writeFileSync(
    join(folder, "index.d.ts"),
    `/** Where the files of the model are, for \`Engine.load\`. */
export declare const model: { manifest: string; files: Record<string, string> };
export default model;
`,
  );
  const card = join(model, "README.md");
  const about = existsSync(card)
    ? `${read(card).replaceAll("**twin/**", "**twin/**, which is not in this package,").trim()}\n`
    : `# ${name}\n\n${manifest.name}, a model for infinity-web. Licence: ${manifest.licence}.\n`;
  const size = megabytes(files.map((file) => readFileSync(join(model, file))));
  writeFileSync(join(folder, "README.md"), about + usage(name, manifest.examples?.[0] ?? "a red apple", size));
  const description = `${manifest.name}: a text-to-image model for infinity-web`;
  const template = JSON.parse(read(join(root, "npm/model/package.json")));
  const repository = JSON.parse(read(join(root, "npm/package.json"))).repository;
  writeJson(join(folder, "package.json"), { name, version: version(), description, license: manifest.licence, repository, ...template });
}

/** @param {string} folder @param {string} out */
function tarball(folder, out) {
  const [packed] = JSON.parse(execFileSync("npm", ["pack", "--json", "--pack-destination", out], { cwd: folder, encoding: "utf8" }));
  const [size, unpacked] = [packed.size, packed.unpackedSize].map((bytes) => (bytes / 1e6).toFixed(1));
  console.log(`    ${relative(root, join(out, packed.filename))}: ${size} MB, ${unpacked} MB unpacked, ${packed.entryCount} files`);
}

const [page, target, model, name] = process.argv.slice(2);
if (!page || !target || (model && !name)) throw new Error("usage: node npm/pack.js PAGE OUT [MODEL NAME]");
const out = resolve(target);
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
await packEngine(resolve(page), join(out, "engine"));
tarball(join(out, "engine"), out);
if (model && name) {
  packModel(resolve(model), name, join(out, "model"));
  tarball(join(out, "model"), out);
}
