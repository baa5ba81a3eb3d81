// A training's checkpoints in the browser's private storage (OPFS), or in memory where that fails: in a private window, or when
// it is full.
//
// A file is called STEP-BYTES: one that is shorter than its name says was cut off while it was written, and the one before it,
// which is only deleted afterwards, counts. One tab has a training at a time (training-lock.js). A worker's thread only.

import { TRAINING, folder } from "../storage.js";

export class Checkpoints {
  #unkept;
  /** The newest one that the browser did not keep. @type {{ step: number, bytes: Uint8Array } | undefined} */
  #held;

  /** @param {(reason: unknown) => void} unkept called with the reason why a checkpoint is only held in memory */
  constructor(unkept) {
    this.#unkept = unkept;
  }

  /**
   * @param {number} step
   * @param {Uint8Array} bytes
   */
  async save(step, bytes) {
    try {
      await store(step, bytes);
      this.#held = undefined;
    } catch (error) {
      this.#held = { step, bytes };
      this.#unkept(error);
    }
  }

  /** @returns {Promise<Uint8Array | undefined>} none if no whole one is kept */
  async newest() {
    if (this.#held) return this.#held.bytes;
    try {
      const file = await newestFile();
      return file && new Uint8Array(await file.arrayBuffer());
    } catch {
      return undefined; // nothing is kept where nothing can be
    }
  }

  async clear() {
    this.#held = undefined;
    try {
      const kept = await folder(TRAINING);
      for (const name of await names(kept)) await kept.removeEntry(name);
    } catch {} // nothing is kept where nothing can be
  }
}

/** The step of the newest whole checkpoint, if one is kept; on any thread. */
export async function keptStep() {
  const file = await newestFile().catch(() => undefined); // nothing is kept where nothing can be
  return file && parseInt(file.name);
}

/** The newest that is whole. */
async function newestFile() {
  const kept = await folder(TRAINING);
  const byStep = (await names(kept)).sort((a, b) => parseInt(b) - parseInt(a));
  for (const name of byStep) {
    const file = await (await kept.getFileHandle(name)).getFile();
    if (file.size === Number(name.split("-")[1])) return file;
  }
  return undefined;
}

/**
 * @param {number} step
 * @param {Uint8Array} bytes
 */
async function store(step, bytes) {
  const kept = await folder(TRAINING);
  const name = `${step}-${bytes.byteLength}`;
  const access = await (await kept.getFileHandle(name, { create: true })).createSyncAccessHandle();
  try {
    access.truncate(0);
    if (access.write(bytes, { at: 0 }) !== bytes.byteLength) throw new Error("the browser's storage is full");
    access.flush();
  } finally {
    access.close();
  }
  for (const other of await names(kept)) if (other !== name) await kept.removeEntry(other);
}

/** @param {FileSystemDirectoryHandle} kept */
async function names(kept) {
  const found = [];
  for await (const name of kept.keys()) found.push(name);
  return found;
}
