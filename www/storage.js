// The model's files in the browser's private storage (OPFS), each under its SHA-256 as its name.
//
// A file of that name is whole only if its content has that hash, which is checked on every load: nothing else needs to be
// written down, and a download that broke off goes on from the file's length.

/** The folders: models, and a training's checkpoints (checkpoints.js). */
export const WEIGHTS = "weights";
export const TRAINING = "training";

/** @param {string} name */
export async function folder(name) {
  const root = await navigator.storage.getDirectory();
  return root.getDirectoryHandle(name, { create: true });
}

/** One file, open for reading and writing; a worker's thread only. */
export class StoredFile {
  #access;

  /** @param {FileSystemSyncAccessHandle} access */
  constructor(access) {
    this.#access = access;
  }

  /**
   * @param {string} sha256
   * @returns {Promise<StoredFile | undefined>} none where the browser keeps nothing (private windows of some), or where
   *   another tab is writing the very file
   */
  static async open(sha256) {
    try {
      const handle = await (await folder(WEIGHTS)).getFileHandle(sha256, { create: true });
      return new StoredFile(await handle.createSyncAccessHandle());
    } catch {
      return undefined;
    }
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

/** Deletes every file that no tab has open. */
export async function clearStorage() {
  for (const name of [WEIGHTS, TRAINING]) {
    const kept = await folder(name);
    const files = [];
    for await (const file of kept.keys()) files.push(file);
    await Promise.allSettled(files.map((file) => kept.removeEntry(file)));
  }
}
