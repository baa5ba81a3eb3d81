// Where these files were loaded from, and where a model is.

import { EngineError } from "./error.js";

/** @typedef {import("./protocol.js").Source} Source */
/** @typedef {import("./protocol.js").Model} Model */

/**
 * This script, one folder below worker.js. A bundler may make of it an address that the page cannot reach, or a path of the machine
 * that built it: whoever relies on it must expect that.
 */
const HERE = import.meta.url;
/** A package's name, with or without a version. One with a full stop is taken for a file. */
const NAME = /^(?:@[a-z\d-][\w-]*\/)?[a-z\d-][\w-]*(?:@[\w.^~-]+)?$/i;
/** This package on a server of npm packages: everything before its name, and its version. */
const ON_CDN = /^(https?:\/\/.+\/)infinity-web@([^/]+)\//;

/** Models that were imported as packages, by name. @returns {Map<string, Model>} */
function imported() {
  return Reflect.get(globalThis, Symbol.for("infinity-web.models")) ?? new Map();
}

/**
 * An address that the worker understands: an imported model for its name; for other names a neighbour of this package where it
 * came from a server of npm packages; otherwise relative to the document.
 * @param {Source} source
 * @param {string} [here]
 * @returns {Source}
 * @throws {EngineError}
 */
export function resolve(source, here = HERE) {
  if (typeof source !== "string") return source;
  const model = imported().get(source);
  if (model) return model;
  if (NAME.test(source)) {
    const [, root, version] = ON_CDN.exec(here) ?? [];
    if (root) return `${root}${source.includes("@", 1) ? source : `${source}@${version}`}/manifest.json`;
    throw new EngineError(
      "source",
      `no model named ${source} has been imported; add import "${source}" beside the import of infinity-web, or give the address of a manifest.json`,
      "src",
    );
  }
  const base = globalThis.document?.baseURI ?? globalThis.location?.href;
  if (!URL.canParse(source, base)) throw new EngineError("source", `${source} is no address; give that of a manifest.json`, "src");
  return new URL(source, base).href;
}

/**
 * One of this package's files, for whoever may load it by its address.
 * @param {string} name
 * @param {string | URL} [base] the folder it is in, instead of this package's own
 */
export function fileAddress(name, base) {
  return base === undefined ? new URL(`../${name}`, HERE) : new URL(name, new URL(base, globalThis.document?.baseURI ?? globalThis.location?.href));
}
