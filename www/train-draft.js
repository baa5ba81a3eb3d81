// The training of the last visit, in IndexedDB: pictures, captions, settings and curves. Its weights are in checkpoints.js.

/**
 * @typedef {object} Picture
 * @property {string} caption
 * @property {Uint8ClampedArray<ArrayBuffer>} rgba
 * @property {number} side width and height
 */

/**
 * @typedef {object} Draft
 * @property {import("./train-form.js").Settings} settings
 * @property {Picture[]} pictures
 * @property {boolean} open whether there is a checkpoint to go on from
 * @property {import("./protocol.js").Step[]} curve up to that checkpoint
 */

const STORE = "draft";
const KEY = "draft";

export class DraftStore {
  /** @type {Promise<IDBDatabase | undefined>} */
  #database = open();

  /** @returns {Promise<Draft | undefined>} */
  async load() {
    const database = await this.#database;
    if (!database) return undefined;
    return done(database.transaction(STORE).objectStore(STORE).get(KEY)).catch(() => undefined);
  }

  /** Where the browser keeps nothing, the training lives as long as the page. @param {Draft} draft */
  async save(draft) {
    const database = await this.#database;
    if (!database) return;
    await done(database.transaction(STORE, "readwrite").objectStore(STORE).put(draft, KEY)).catch(() => {});
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
