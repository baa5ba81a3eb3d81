// The files of one model for the engine: several come at once and ahead of it, from the network or the browser's storage.
//
// src/web/files.rs asks for them in its own order and checks every one again.

import { download } from "./download.js";
import { describe, entries, manifestBytes } from "./manifest.js";
import { LoadProgress } from "./progress.js";
import { freeBytes, keptLength, openFile } from "../storage.js";

/** @typedef {import("./manifest.js").Entry} Entry */

/** So many files are under way, or wait for the engine, at a time. */
const IN_FLIGHT = 4;
/** More is not fetched unasked. */
const UNASKED = 64e6;

/** A model on the network: each file where the model says it is, or beside the manifest. */
export class RemoteFiles {
  #model;
  #progress;
  #cache;
  #part;
  /** @type {Map<string, Entry>} */
  #entries = new Map();
  /** Entries that nobody has begun to fetch. @type {Entry[]} */
  #waiting = [];
  /** @type {Map<string, Promise<Uint8Array>>} */
  #coming = new Map();

  /**
   * @param {import("../protocol.js").Model} model
   * @param {LoadProgress} progress
   * @param {boolean} cache whether the browser keeps what comes
   * @param {"model" | "baseline"} [part] what the engine will ask for; of a baseline it needs less
   */
  constructor(model, progress, cache, part = "model") {
    this.#model = model;
    this.#progress = progress;
    this.#cache = cache;
    this.#part = part;
    this.manifest = new URL(model.manifest).pathname.split("/").at(-1) ?? "";
  }

  /** What the manifest says of the model. */
  async inspect() {
    return describe(await manifestBytes(this.#model.manifest, this.#cache));
  }

  /** Fetches the manifest and begins with the files that drawing needs. */
  async begin() {
    const bytes = await manifestBytes(this.#model.manifest, this.#cache);
    this.#coming.set(this.manifest, Promise.resolve(bytes));
    const { all, needed } = entries(bytes, this.#part);
    this.#entries = new Map(all.map((entry) => [entry.file, entry]));
    this.#waiting = needed;
    this.#progress.need(needed.reduce((sum, entry) => sum + entry.bytes, 0));
    this.#fill();
  }

  /**
   * @param {string} path
   * @returns {Promise<Uint8Array>}
   */
  async read(path) {
    const entry = this.#entries.get(path);
    if (!this.#coming.has(path)) {
      if (!entry) throw new Error("the manifest does not list it");
      if (!this.#waiting.includes(entry)) this.#progress.need(entry.bytes);
      this.#start(entry);
    }
    try {
      return await /** @type {Promise<Uint8Array>} */ (this.#coming.get(path));
    } finally {
      this.#coming.delete(path);
      this.#fill();
    }
  }

  #fill() {
    while (this.#coming.size < IN_FLIGHT && this.#waiting[0]) this.#start(this.#waiting[0]);
  }

  /** @param {Entry} entry */
  #start(entry) {
    this.#waiting = this.#waiting.filter((other) => other !== entry);
    const { manifest, files } = this.#model;
    const url = files[entry.file] ?? new URL(entry.file, manifest).href;
    const coming = fetchEntry(url, entry, this.#progress, this.#cache);
    coming.catch(() => {}); // whoever reads it gets the error
    this.#coming.set(entry.file, coming);
  }
}

/** A model that the visitor has on disk: manifest and shards as chosen or dropped files. */
export class LocalFiles {
  #files;
  #progress;

  /**
   * @param {File[]} files
   * @param {LoadProgress} progress
   */
  constructor(files, progress) {
    this.#files = new Map(files.map((file) => [file.name, file]));
    this.#progress = progress;
    this.manifest = files.find((file) => file.name.endsWith(".json") && file.name !== "tokenizer.json")?.name ?? "manifest.json";
  }

  async inspect() {
    return describe(await this.read(this.manifest));
  }

  async begin() {
    const { needed } = entries(await this.read(this.manifest));
    this.#progress.need(needed.reduce((sum, entry) => sum + entry.bytes, 0));
  }

  /**
   * @param {string} path
   * @returns {Promise<Uint8Array>}
   */
  async read(path) {
    const file = this.#files.get(path);
    if (!file) throw new Error("it is not among the chosen files");
    const bytes = new Uint8Array(await file.arrayBuffer());
    if (path !== this.manifest) this.#progress.recall(bytes.byteLength);
    return bytes;
  }
}

/**
 * Keeps what a visit has not asked for of a model, its baseline included, so that the next one can do without a connection: nothing
 * where that is much, or the browser has no room for it.
 * @param {import("../protocol.js").Model} model
 */
export async function prefetch({ manifest, files }) {
  const bytes = await manifestBytes(manifest, true);
  const { twin, baseline = twin } = JSON.parse(new TextDecoder().decode(bytes));
  /** @type {[string, Entry][]} */
  const wanted = entries(bytes).all.map((entry) => [files[entry.file] ?? new URL(entry.file, manifest).href, entry]);
  if (typeof baseline === "string") {
    const beside = new URL(baseline, manifest).href;
    const { needed } = entries(await manifestBytes(beside, true), "baseline");
    for (const entry of needed) wanted.push([new URL(entry.file, beside).href, entry]);
  }
  const lengths = await Promise.all(wanted.map(([, { sha256 }]) => keptLength(sha256)));
  // What generating needed is kept by now, if anything can be kept.
  if (!lengths.some(Boolean)) return;
  const missing = wanted.filter(([, { bytes }], i) => lengths[i] !== bytes);
  const size = missing.reduce((sum, [, { bytes }]) => sum + bytes, 0);
  if (size > Math.min(UNASKED, await freeBytes())) return;
  const silent = new LoadProgress(() => {});
  for (const [url, entry] of missing) await fetchEntry(url, entry, silent, true);
}

/**
 * @param {string} url
 * @param {Entry} entry
 * @param {LoadProgress} progress
 * @param {boolean} cache
 */
async function fetchEntry(url, { bytes, sha256 }, progress, cache) {
  const buffer = new Uint8Array(bytes);
  let stored = cache ? await openFile(sha256) : undefined;
  if (cache && !stored) progress.warn("This browser keeps nothing of the model here, so every visit downloads it again; a private window may be why.");
  try {
    for (let retried = false; ; retried = true) {
      let have = stored && !retried ? Math.min(stored.size, stored.read(buffer), bytes) : 0;
      progress.recall(have);
      await download(url, buffer, have, {
        bytes(chunk, at) {
          have = at + chunk.byteLength;
          progress.arrive(chunk.byteLength);
          try {
            stored?.write(chunk, at);
          } catch {
            progress.warn("The browser's storage is full, so part of this model will be downloaded again next time.");
            stored?.clear();
            stored?.close();
            stored = undefined;
          }
        },
        restart() {
          progress.arrive(-have);
          have = 0;
        },
        broken: (reason) => progress.remark(`${reason[0]?.toUpperCase()}${reason.slice(1)}; trying again from where it was.`),
      });
      if (await hasHash(buffer, sha256)) return buffer;
      stored?.clear();
      if (retried) throw new Error("its SHA-256 is not the one in the manifest");
      progress.recall(-bytes);
    }
  } finally {
    stored?.close();
  }
}

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {string} expected
 */
async function hasHash(bytes, expected) {
  // Pages of plain http have no such function; the engine checks the hash in any case.
  if (!self.crypto.subtle) return true;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("") === expected;
}
