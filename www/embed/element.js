// <infinity-image>: an image that is drawn where it stands.

import { ImageAttributes } from "./attributes.js";
import { Engine, EngineError } from "./engine.js";
import { duration, megabytes, sentence } from "../ui/format.js";
import { randomSeed } from "../engine/random-seed.js";
import { Lease } from "./shared-engine.js";
import { View } from "./view.js";

export { Engine, EngineError };

/** @typedef {import("./engine.js").GenerateOptions} GenerateOptions */
/** @typedef {import("./engine.js").Progress} Progress */
/** @typedef {import("./engine.js").Scale} Scale */
/** @typedef {import("./engine.js").Started} Started */
/** @typedef {import("./engine.js").Tokens} Tokens */
/** @typedef {import("./view.js").State} State */

/** A finished image. @typedef {Tokens & { prompt: string, seed: number, ms: number }} Drawn */
/** The model is ready. @typedef {{ model: Engine["model"], device: Engine["device"] }} Loaded */

/** One image on its way. @typedef {{ ending: AbortController, scales: Scale[] }} Job */

/**
 * The element's events; none of them bubbles.
 * @typedef {object} InfinityImageEventMap
 * @property {CustomEvent<Progress>} progress of loading
 * @property {CustomEvent<Loaded>} load
 * @property {CustomEvent<Started>} generatestart
 * @property {CustomEvent<Scale>} scale
 * @property {CustomEvent<Drawn>} generateend
 * @property {CustomEvent<EngineError>} error
 * @property {CustomEvent<{ scales: number }>} abort after so many scales
 */

/** Those whose change makes another image. */
const OPTIONS = ["prompt", "seed", "aspect", "cfg", "tau"];
/** Those whose change needs another engine. */
const ENGINE = ["src", "device", "base-url"];
const OTHERS = ["loading", "poster", "controls"];

/**
 * Nothing is downloaded before the visitor presses Draw, a script calls `generate`, or `loading` is `eager`. From then on a changed
 * option draws anew, unless `loading` is `manual`.
 */
export class InfinityImage extends ImageAttributes {
  static observedAttributes = [...OPTIONS, ...ENGINE, ...OTHERS];

  #view;
  #internals;
  /** @type {State} */
  #state = "idle";
  /** @type {Lease | undefined} */
  #lease;
  /** The engine that a `load` event was for. @type {Engine | undefined} */
  #announced;
  /** What is going on, if anything. @type {Job | undefined} */
  #job;
  /** Whether an image has been asked for since the element is there. */
  #wanted = false;
  #due = false;
  /** @type {Scale[]} */
  #scales = [];
  #shape = "1:1";

  constructor() {
    super();
    this.#internals = this.attachInternals();
    this.#view = new View(this.attachShadow({ mode: "open" }));
    this.#view.ondraw = (prompt) => this.#press(prompt);
    this.#view.onstop = () => this.cancel();
    this.#view.onsave = () => this.#save();
  }

  /** What it is at. */
  get state() {
    return this.#state;
  }

  /** The image, or what there is of it, as tokens for `engine.decode` and `engine.edit`. @returns {Tokens | null} */
  get bits() {
    return this.#scales.length > 0 ? { aspect: this.#shape, bits: this.#scales.map(({ bits }) => bits) } : null;
  }

  /**
   * Draws an image; one that is being drawn gives way.
   * @param {GenerateOptions | Partial<GenerateOptions>} [options] instead of the attributes
   * @returns {Promise<Drawn>}
   * @throws {EngineError | DOMException} an `AbortError` when it was ended
   */
  async generate(options = {}) {
    const { signal, onStart, ...given } = options;
    this.#job?.ending.abort();
    /** @type {Job} */
    const job = { ending: new AbortController(), scales: [] };
    const stop = () => job.ending.abort(signal?.reason);
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
    this.#job = job;
    this.#wanted = true;
    this.#due = false;
    try {
      return await this.#draw(job, { ...this.#options(), ...given }, onStart);
    } catch (error) {
      this.#failed(error, job);
      throw error;
    } finally {
      signal?.removeEventListener("abort", stop);
      if (this.#job === job) this.#job = undefined;
    }
  }

  /** Ends what is going on: a drawing within a layer, a download at once. */
  cancel() {
    this.#job?.ending.abort();
  }

  /**
   * The image as a file, or null while there is none.
   * @param {string} [type] `image/png` if left out
   * @param {number} [quality]
   * @returns {Promise<Blob | null>}
   */
  toBlob(type, quality) {
    if (this.#scales.length === 0) return Promise.resolve(null);
    return new Promise((resolve) => this.#view.canvas.toBlob(resolve, type, quality));
  }

  connectedCallback() {
    this.adoptProperties();
    this.#enter(this.#state);
    if (this.loading === "eager" && this.#scales.length === 0) this.#schedule();
  }

  disconnectedCallback() {
    // Who is only moved is back at once.
    setTimeout(() => {
      if (this.isConnected) return;
      this.cancel();
      this.#release();
    });
  }

  /**
   * @param {string} name
   * @param {string | null} before
   * @param {string | null} now
   */
  attributeChangedCallback(name, before, now) {
    if (before === now) return;
    if (name === "poster") this.#view.poster(now);
    if (name === "controls") this.#view.controls(this.controls);
    if (name === "prompt") this.#view.prompt(this.prompt);
    if (name === "aspect" && this.#scales.length === 0) this.#view.shape(this.aspect);
    if (ENGINE.includes(name)) {
      this.cancel();
      this.#release();
    }
    if (name === "loading" || name === "prompt") this.#enter(this.#state);
    if (!OTHERS.includes(name) || name === "loading") this.#schedule();
  }

  /** Draws once the script that changes attributes is through. */
  #schedule() {
    const wanted = this.loading === "eager" || (this.loading === "lazy" && this.#wanted);
    if (this.#due || !wanted || !this.isConnected || !this.prompt) return;
    this.#due = true;
    queueMicrotask(() => {
      if (!this.#due) return;
      this.#due = false;
      this.generate().catch(() => {}); // reported as an event
    });
  }

  /** @param {string} [prompt] */
  #press(prompt = this.prompt) {
    this.setAttribute("prompt", prompt);
    this.generate().catch(() => {}); // reported as an event
  }

  /** @returns {GenerateOptions & { seed: number, aspect: string }} */
  #options() {
    const { prompt, aspect, cfg, tau } = this;
    return { prompt, aspect, seed: this.seed ?? randomSeed(), ...(cfg !== null && { cfg }), ...(tau !== null && { tau }) };
  }

  /**
   * @param {Job} job
   * @param {GenerateOptions & { seed: number, aspect: string }} options
   * @param {((started: Started) => void) | undefined} onStart
   * @returns {Promise<Drawn>}
   */
  async #draw({ ending: { signal }, scales }, options, onStart) {
    const began = performance.now();
    if (!this.#lease || this.#lease.dead) {
      this.#lease = new Lease({ source: this.src, device: this.device, baseUrl: this.baseUrl ?? undefined }, (progress) => this.#progress(progress));
    }
    this.#enter("loading");
    this.#view.loading("Waiting for the engine");
    await this.#lease.run(async (engine) => {
      if (this.#announced !== engine) {
        this.#announced = engine;
        this.#emit("load", { model: engine.model, device: engine.device });
      }
      const started = (/** @type {Started} */ event) => {
        this.#scales = scales;
        this.#shape = event.aspect.name;
        this.#view.description = options.prompt;
        this.#view.shape(event.aspect.name);
        this.#view.steps(0, event.aspect.scales.length);
        this.#enter("drawing");
        this.#emit("generatestart", event);
        onStart?.(event);
      };
      for await (const scale of engine.generate({ ...options, signal, onStart: started })) {
        scales.push(scale);
        this.#view.paint(scale.image);
        this.#view.steps(scale.k, scale.of);
        this.#view.say(`Scale ${scale.k} of ${scale.of}`);
        this.#emit("scale", scale);
      }
    }, signal);
    const { prompt, seed, aspect } = options;
    const drawn = { prompt, seed, aspect, bits: scales.map(({ bits }) => bits), ms: performance.now() - began };
    this.#enter("done");
    this.#view.say(`Seed ${seed}, ${duration(scales.reduce((sum, { ms }) => sum + ms, 0))}`);
    this.#emit("generateend", drawn);
    return drawn;
  }

  /**
   * @param {unknown} error
   * @param {Job} job
   */
  #failed(error, job) {
    if (job.ending.signal.aborted) {
      if (this.#job === job) {
        // What still comes would be for nobody.
        if (!this.#lease?.loaded) this.#release();
        this.#enter("idle");
        this.#view.say("Stopped");
      }
      this.#emit("abort", { scales: job.scales.length });
      return;
    }
    const reported = error instanceof EngineError ? error : new EngineError("crashed", error instanceof Error ? error.message : String(error));
    this.#enter("error", sentence(reported.message));
    this.#emit("error", reported);
  }

  /** @param {Progress} progress */
  #progress(progress) {
    const { phase, loaded, total } = progress;
    if (phase === "build") this.#view.loading("Getting ready");
    else if (total > 0) this.#view.loading(`${megabytes(loaded)} of ${megabytes(total)} MB`, loaded / total);
    else this.#view.loading(`${megabytes(loaded)} MB`);
    this.#emit("progress", progress);
  }

  /**
   * @param {State} state
   * @param {string} [error]
   */
  #enter(state, error) {
    this.#internals.states.delete(this.#state);
    this.#state = state;
    this.#internals.states.add(state);
    const startable = !this.controls && this.loading !== "manual" && this.prompt !== "";
    this.#view.show(state, { drawn: this.#scales.length > 0, startable, ...(error && { error }) });
  }

  #release() {
    this.#lease?.release();
    this.#lease = undefined;
    this.#announced = undefined;
  }

  async #save() {
    const blob = await this.toBlob();
    if (!blob) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${this.#view.description.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 60) || "image"}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  /**
   * @template {keyof InfinityImageEventMap} K
   * @param {K} type
   * @param {InfinityImageEventMap[K]["detail"]} detail
   */
  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

// Two copies of this package may meet on a page: the first one serves it.
if (globalThis.customElements && !customElements.get("infinity-image")) customElements.define("infinity-image", InfinityImage);
