// The training of the last visit, in IndexedDB: pictures, captions, settings and curves. Its weights are in checkpoints.js.

/**
 * @typedef {object} Picture
 * @property {string} caption
 * @property {Uint8ClampedArray<ArrayBuffer>} rgba
 * @property {number} side width and height
 */

/**
 * @typedef {object} Draft
 * @property {import("./settings-form.js").Settings} settings
 * @property {Picture[]} pictures
 * @property {boolean} open whether there is a checkpoint to go on from
 * @property {import("../engine/protocol.js").Step[]} curve up to that checkpoint
 */

const STORE = "draft";
const KEY = "draft";

export class DraftStore {
  /** @type {Promise<IDBDatabase | undefined>} */
  #database = open();

  /** @returns {Promise<Draft | undefined>} */
  async load() {
    try {
      const database = await this.#database;
      return database && (await done(database.transaction(STORE).objectStore(STORE).get(KEY)));
    } catch {
      return undefined;
    }
  }

  /** @param {Draft} draft @returns {Promise<boolean>} false where the browser keeps nothing: then it lives as long as the page */
  async save(draft) {
    try {
      const database = await this.#database;
      if (!database) return false;
      await done(database.transaction(STORE, "readwrite").objectStore(STORE).put(draft, KEY));
      return true;
    } catch {
      return false;
    }
  }

  async clear() {
    try {
      const database = await this.#database;
      if (database) await done(database.transaction(STORE, "readwrite").objectStore(STORE).clear());
    } catch {} // nothing is kept where nothing can be
  }
}

/** @returns {Promise<IDBDatabase | undefined>} */
async function open() {
  try {
    const opening = indexedDB.open("infinity-training", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    return await done(opening);
  } catch {
    return undefined;
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
