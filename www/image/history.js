// Finished images across visits, in IndexedDB: their bits, from which they decode again, and a small picture.

/**
 * @typedef {object} Entry
 * @property {number} [id]
 * @property {number} time
 * @property {"drawn" | "shared" | "read"} origin
 * @property {string} prompt
 * @property {number | null} seed
 * @property {import("../engine/protocol.js").Options | null} options
 * @property {string} aspect
 * @property {import("../engine/protocol.js").Words[]} bits
 * @property {string} codec of the model that made it
 * @property {string} model its name
 * @property {Blob} thumbnail
 */

const STORE = "images";
/** The oldest beyond these are forgotten. */
const LIMIT = 200;

export class History {
  /** None where the browser keeps nothing: then the images live as long as the page. @type {IDBDatabase | undefined} */
  #database;
  /** Newest first. @type {Entry[]} */
  entries = [];

  async open() {
    try {
      const opening = indexedDB.open("infinity", 1);
      opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: "id", autoIncrement: true });
      this.#database = await done(opening);
      this.entries = (await done(this.#store("readonly").getAll())).reverse();
    } catch {
      this.#database = undefined;
    }
  }

  /** So many outlive the page. */
  get kept() {
    return this.#database ? this.entries.length : 0;
  }

  /** @param {Entry} entry */
  async add(entry) {
    this.entries.unshift(entry);
    const old = this.entries.splice(LIMIT);
    await this.#write(async (store) => {
      entry.id = Number(await done(store.add(entry)));
      for (const { id } of old) if (id !== undefined) store.delete(id);
    });
  }

  /** @param {Entry} entry */
  async remove(entry) {
    this.entries = this.entries.filter((other) => other !== entry);
    await this.#write(async (store) => {
      if (entry.id !== undefined) await done(store.delete(entry.id));
    });
  }

  async clear() {
    this.entries = [];
    await this.#write((store) => done(store.clear()));
  }

  /** @param {(store: IDBObjectStore) => Promise<void>} act */
  async #write(act) {
    if (!this.#database) return;
    try {
      await act(this.#store("readwrite"));
    } catch {
      this.#database = undefined; // the quota is used up: the list goes on in memory
    }
  }

  /** @param {IDBTransactionMode} mode */
  #store(mode) {
    if (!this.#database) throw new Error("there is no database");
    return this.#database.transaction(STORE, mode).objectStore(STORE);
  }
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
