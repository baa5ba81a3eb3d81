// One engine for all elements that want the same model: counted, and given one thing at a time to do.

import { isCrash } from "../engine/error.js";
import { Engine, EngineError } from "./engine.js";

/** @typedef {import("./engine.js").Progress} Progress */

/**
 * @typedef {object} Wanted
 * @property {string} source
 * @property {import("./engine.js").EngineChoice} device
 * @property {string | undefined} baseUrl
 */

/** @type {Map<string, SharedEngine>} */
const engines = new Map();

/** One element's hold on an engine. The engine ends with its last lease. */
export class Lease {
  #engine;
  #listen;

  /**
   * @param {Wanted} wanted
   * @param {(progress: Progress) => void} listen
   */
  constructor(wanted, listen) {
    const key = JSON.stringify(wanted);
    const engine = engines.get(key) ?? new SharedEngine(wanted, key);
    engines.set(key, engine);
    this.#engine = engine;
    this.#listen = listen;
    engine.listeners.add(listen);
    if (engine.progress) listen(engine.progress);
  }

  /** Whether another one must be taken. */
  get dead() {
    return this.#engine.dead;
  }

  /** Whether nothing needs to be downloaded any more. */
  get loaded() {
    return this.#engine.loaded;
  }

  /**
   * Does something when the engine is free.
   * @param {(engine: Engine) => Promise<void>} job
   * @param {AbortSignal} signal ends the wait too
   */
  run(job, signal) {
    return this.#engine.run(job, signal);
  }

  release() {
    this.#engine.listeners.delete(this.#listen);
    if (this.#engine.listeners.size === 0) this.#engine.end();
  }
}

class SharedEngine {
  #key;
  #engine;
  #loading = new AbortController();
  #last = Promise.resolve();

  dead = false;
  loaded = false;
  /** One of every lease. @type {Set<(progress: Progress) => void>} */
  listeners = new Set();
  /** The latest, for those who come late. @type {Progress | undefined} */
  progress;

  /**
   * @param {Wanted} wanted
   * @param {string} key
   */
  constructor({ source, device, baseUrl }, key) {
    this.#key = key;
    this.#engine = Engine.load(source, {
      device,
      ...(baseUrl !== undefined && { baseUrl }),
      signal: this.#loading.signal,
      onProgress: (progress) => {
        this.progress = progress;
        for (const listen of this.listeners) listen(progress);
      },
    });
    // Whoever waits for it gets the failure, too.
    this.#engine.then(() => (this.loaded = true), () => this.#bury());
  }

  /**
   * @param {(engine: Engine) => Promise<void>} job
   * @param {AbortSignal} signal
   */
  async run(job, signal) {
    const before = this.#last;
    /** @type {PromiseWithResolvers<void>} */
    const turn = Promise.withResolvers();
    this.#last = turn.promise;
    try {
      await until(before, signal);
      await job(await until(this.#engine, signal));
    } catch (error) {
      if (isCrash(error) || (error instanceof EngineError && error.code === "disposed")) this.end();
      throw error;
    } finally {
      before.then(() => turn.resolve());
    }
  }

  end() {
    this.#bury();
    this.#loading.abort();
    this.#engine.then((engine) => engine.dispose(), () => {});
  }

  #bury() {
    this.dead = true;
    if (engines.get(this.#key) === this) engines.delete(this.#key);
  }
}

/**
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal} signal
 * @returns {Promise<T>} rejects as soon as the signal says so
 */
function until(promise, signal) {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    promise.then(resolve, reject);
  });
}
