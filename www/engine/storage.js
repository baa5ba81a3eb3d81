// The model's files in the browser's private storage (OPFS), each under its SHA-256 as its name.
//
// A file of that name is whole only if its content has that hash, which is checked on every load: nothing else needs to be
// written down, and a download that broke off goes on from the file's length.

/** The folders: models, a training's checkpoints (worker/checkpoints.js), and autotuning results (worker/tuning.js). */
export const WEIGHTS = "weights";
export const TRAINING = "training";
export const TUNING = "tuning";

/** @param {string} name */
export async function folder(name) {
  const root = await navigator.storage.getDirectory();
  return root.getDirectoryHandle(name, { create: true });
}

/**
 * A file of the models, for reading and writing; a worker's thread only.
 * @param {string} sha256
 * @returns {Promise<StoredFile | TakenFile | undefined>} none where the browser keeps nothing, as private windows of some
 */
export async function openFile(sha256) {
  try {
    const handle = await (await folder(WEIGHTS)).getFileHandle(sha256, { create: true });
    try {
      return new StoredFile(await handle.createSyncAccessHandle());
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== "NoModificationAllowedError") return undefined;
      return new TakenFile(new Uint8Array(await (await handle.getFile()).arrayBuffer()));
    }
  } catch {
    return undefined;
  }
}

/** Length of a file of the models, 0 if there is none. @param {string} sha256 */
export async function keptLength(sha256) {
  try {
    const handle = await (await folder(WEIGHTS)).getFileHandle(sha256);
    return (await handle.getFile()).size;
  } catch {
    return 0;
  }
}

/** What there is of a file that another tab has open: to read, not to write. */
class TakenFile {
  #bytes;

  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.#bytes = bytes;
  }

  get size() {
    return this.#bytes.byteLength;
  }

  /** @param {Uint8Array} buffer is filled from the file's start */
  read(buffer) {
    const part = this.#bytes.subarray(0, buffer.byteLength);
    buffer.set(part);
    return part.byteLength;
  }

  // The other tab keeps what comes.
  write() {}
  clear() {}
  close() {}
}

/** A file of which no other tab can open more than `TakenFile` meanwhile. */
class StoredFile {
  #access;

  /** @param {FileSystemSyncAccessHandle} access */
  constructor(access) {
    this.#access = access;
  }

  get size() {
    return this.#access.getSize();
  }

  /** @param {Uint8Array} buffer is filled from the file's start */
  read(buffer) {
    return this.#access.read(buffer, { at: 0 });
  }

  /**
   * @param {Uint8Array} chunk
   * @param {number} at
   * @throws {DOMException} when the quota is used up
   */
  write(chunk, at) {
    if (this.#access.write(chunk, { at }) !== chunk.byteLength) throw new DOMException("the storage is full", "QuotaExceededError");
  }

  clear() {
    this.#access.truncate(0);
  }

  close() {
    this.#access.close();
  }
}

/** Bytes of all files kept here; 0 where the browser keeps none. @param {string[]} [names] of folders */
export async function storedBytes(names = [WEIGHTS, TRAINING]) {
  let bytes = 0;
  try {
    for (const name of names) {
      for await (const handle of (await folder(name)).values()) {
        if (handle.kind === "file") bytes += (await handle.getFile()).size;
      }
    }
  } catch {
    return 0;
  }
  return bytes;
}

/**
 * Asks the browser not to clear what is kept when its disk runs full. Some ask the visitor, so it is called where something is
 * chosen to stay.
 */
export function persist() {
  void navigator.storage?.persist?.().catch(() => {}); // not every window can; what is kept may go then
}

/** Bytes that the browser would still keep; unlimited where it does not say. */
export async function freeBytes() {
  const { quota, usage = 0 } = (await navigator.storage?.estimate?.().catch(() => undefined)) ?? {};
  return quota === undefined ? Infinity : Math.max(0, quota - usage);
}

/** Deletes every file that no tab has open. */
export async function clearStorage() {
  for (const name of [WEIGHTS, TRAINING, TUNING]) {
    const kept = await folder(name);
    const files = [];
    for await (const file of kept.keys()) files.push(file);
    await Promise.allSettled(files.map((file) => kept.removeEntry(file)));
  }
}
