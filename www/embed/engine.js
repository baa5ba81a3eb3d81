// The engine for whoever embeds it: a model in its own thread, images as async iterators.
//
// Stands on the same client as the page (engine-client.js).

import { survey } from "../engine/device.js";
import { EngineClient } from "../engine/client.js";
import { EngineError } from "../engine/error.js";
import { fitted } from "../image/fit-to-aspect.js";
import { randomSeed } from "../engine/random-seed.js";
import { clearStorage, storedBytes } from "../engine/storage.js";

export { EngineError };

/** @typedef {import("../engine/error.js").ErrorCode} ErrorCode */
/** @typedef {import("../engine/protocol.js").Aspect} Aspect */
/** @typedef {import("../engine/protocol.js").BitAt} BitAt */
/** @typedef {import("../engine/protocol.js").Deviation} Deviation */
/** @typedef {import("../engine/protocol.js").DeviceChosen} DeviceChosen */
/** @typedef {import("../engine/protocol.js").EngineChoice} EngineChoice */
/** @typedef {import("../engine/protocol.js").Flips} Flips */
/** @typedef {import("../engine/protocol.js").Inspected} Inspected */
/** @typedef {import("../engine/protocol.js").Keep} Keep */
/** @typedef {import("../engine/protocol.js").Model} Model */
/** @typedef {import("../engine/protocol.js").ModelInfo} ModelInfo */
/** @typedef {import("../engine/protocol.js").Options} Options */
/** @typedef {import("../engine/protocol.js").Progress} Progress */
/** @typedef {import("../engine/protocol.js").Source} Source */
/** @typedef {import("../engine/protocol.js").Step} Step */
/** @typedef {import("../engine/protocol.js").Treatment} Treatment */
/** @typedef {import("../engine/protocol.js").Started} Started */
/** @typedef {import("../engine/protocol.js").Words} Words */

/**
 * The image after one scale.
 * @typedef {object} Scale
 * @property {number} k which scale, from 1
 * @property {number} of so many
 * @property {number} height in tokens
 * @property {number} width in tokens
 * @property {number} ms that it took, from prediction to pixels
 * @property {Words} bits of this scale's tokens
 * @property {ImageData} image all scales so far as pixels
 * @property {boolean} final whether this is the finished image
 * @property {Deviation} [deviation] how far it is from the image `against` which it was drawn, if it was
 */

/** An image as what the model makes of it. @typedef {{ aspect: string, bits: Words[] }} Tokens */

/**
 * A picture as tokens, and how like it they are.
 * @typedef {object} Encoded
 * @property {string} aspect the shape that was nearest to its own
 * @property {Words[]} bits
 * @property {number[]} psnr likeness after every scale, in decibels
 * @property {Scale[]} scales
 * @property {ImageData} original the part of the picture that was read
 */

/**
 * @typedef {object} LoadOptions
 * @property {AbortSignal} [signal] ends the download and the engine
 * @property {(progress: Progress) => void} [onProgress]
 * @property {EngineChoice} [device] `auto` takes WebGPU where there is a graphics card, the CPU otherwise
 * @property {"opfs" | "none"} [cache] whether the browser keeps the model's files; it does unless told otherwise
 * @property {string | URL} [baseUrl] the folder of worker.js and the wasm, if it is not that of this script
 */

/**
 * What an image takes; all but the prompt has a default.
 * @typedef {Omit<Options, "seed" | "aspect"> & Partial<Pick<Options, "seed" | "aspect">> & Listening} GenerateOptions
 */

/**
 * @typedef {object} Listening
 * @property {AbortSignal} [signal] ends the drawing within a layer; the iterator then throws the signal's reason
 * @property {(started: Started) => void} [onStart] hears the seed, the shape and the words that the model never learned
 */

/**
 * @typedef {object} EditOptions
 * @property {number} [scales] so many first scales are kept whole, 0 if left out: composition and colours sit there
 * @property {number[]} [mask] one number per token of the finest scale, row by row; where it is 0 the picture stays
 */

/**
 * One scale of what an image's bits go through: nothing, flips with the old residuals kept, flips with later residuals quantised again.
 * @typedef {Omit<Scale, "ms"> & { path: Treatment, deviation: Deviation }} PathScale
 */

/**
 * @typedef {object} TrainOptions
 * @property {number} [steps] in all, 200 if left out
 * @property {number} [batch] pictures of a step, 4 if left out
 * @property {number} [learningRate] 0.001 if left out
 * @property {number} [flips] self-correction: the largest probability that a bit is flipped, 0.3 if left out
 * @property {number} [seed]
 * @property {boolean} [resume] whether the training that this browser keeps goes on; its pictures, batch and seed must be the same
 * @property {(sample: Sample) => void} [onSample] gets what the model draws of the captions after every so many steps and at the end
 * @property {number} [sampleEvery] so many steps, all of them if left out
 * @property {AbortSignal} [signal] ends the training after the step at hand; what was learned until then can be taken with `trained`
 */

/** What a model in training draws of one of its captions. @typedef {{ step: number, index: number, of: number, prompt: string, image: ImageData }} Sample */

/**
 * What this browser offers.
 * @typedef {object} Support
 * @property {"webgpu" | "cpu" | null} device that `auto` would take; null if the engine cannot run here
 * @property {boolean} webgpu whether WebGPU can run
 * @property {boolean} software whether WebGPU would compute on the CPU after all
 * @property {string} reason in a few words
 * @property {string[]} shortfalls one sentence each
 */

/** The package of the model that is taken when none is named. */
export const DEFAULT_MODEL = "infinity-web-emoji";

/** A module of one SIMD instruction. */
const SIMD = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);

/** A loaded model. It does one thing at a time. */
export class Engine {
  #client;

  /**
   * By `Engine.load`.
   * @private
   * @param {EngineClient} client
   * @param {ModelInfo} model
   * @param {DeviceChosen} device
   */
  constructor(client, model, device) {
    this.#client = client;
    /** What the model says of itself: shapes, words, defaults, licence. */
    this.model = model;
    /** What computes, and why. */
    this.device = { name: device.engine, reason: device.reason };
  }

  /** Looks at the browser and its graphics card; downloads nothing. @returns {Promise<Support>} */
  static async detect() {
    if (typeof Worker === "undefined" || !WebAssembly.validate(SIMD)) {
      const shortfall = "The engine needs a browser with workers and WebAssembly SIMD; take a current one.";
      return { device: null, webgpu: false, software: false, reason: "this browser is too old", shortfalls: [shortfall] };
    }
    const { usable, software, reason, shortfalls } = await survey();
    return { device: usable && !software ? "webgpu" : "cpu", webgpu: usable, software, reason, shortfalls };
  }

  /**
   * Downloads a model and the engine, or takes what the browser has kept of them, and gets ready to draw.
   * @param {Source} [source] the address of a manifest, the name of an imported model package, or the visitor's own files
   * @param {LoadOptions} [options]
   * @returns {Promise<Engine>}
   * @throws {EngineError | DOMException} an `AbortError` when the signal ends it
   */
  static async load(source = DEFAULT_MODEL, { signal, onProgress, device = "auto", cache = "opfs", baseUrl } = {}) {
    /** @type {DeviceChosen | undefined} */
    let chosen;
    const model = await Engine.#alone(baseUrl, signal, (client) =>
      client.load(
        source,
        device,
        (event) => {
          if (event.type === "device") chosen = event;
          else if (event.type === "progress") onProgress?.(event);
        },
        cache === "opfs",
      ).then((model) => ({ client, model })),
    );
    return new Engine(model.client, model.model, chosen ?? { type: "device", engine: "cpu", reason: "" });
  }

  /**
   * What a manifest says, before anything else of the model is downloaded.
   * @param {Source} [source]
   * @param {Pick<LoadOptions, "signal" | "baseUrl">} [options]
   * @returns {Promise<Inspected>}
   */
  static async inspect(source = DEFAULT_MODEL, { signal, baseUrl } = {}) {
    return Engine.#alone(baseUrl, signal, async (client) => {
      const inspected = await client.inspect(source);
      client.dispose();
      return inspected;
    });
  }

  /** Bytes of all models, and of the training, that this site keeps in the browser. @returns {Promise<number>} */
  static storedBytes() {
    return storedBytes();
  }

  /** Deletes them. @returns {Promise<void>} */
  static clearStorage() {
    return clearStorage();
  }

  /** Size of the engine's memory in bytes, as of its last word; the graphics card's comes on top. */
  get memory() {
    return this.#client.memory;
  }

  /**
   * Draws an image scale by scale. Leaving the loop ends the drawing.
   * @param {GenerateOptions} options
   * @returns {AsyncGenerator<Scale, void, undefined>}
   * @throws {EngineError | DOMException} from the iterator; an `AbortError` when the signal ends it
   */
  async *generate({ signal, onStart, seed = randomSeed(), aspect = "1:1", ...options }) {
    yield* this.#stream(
      (listen) => this.#client.generate({ seed, aspect, ...options }, listen),
      (event) => {
        if (event.type === "started") onStart?.(event);
        return shown(event);
      },
      signal,
    );
  }

  /**
   * Shows the image that tokens are, scale by scale.
   * @param {Tokens} tokens
   * @param {Pick<Listening, "signal">} [options]
   * @returns {AsyncGenerator<Scale, void, undefined>}
   */
  async *decode({ aspect, bits }, { signal } = {}) {
    yield* this.#stream((listen) => this.#client.decode(aspect, bits, listen), shown, signal);
  }

  /**
   * Reads a picture into tokens: its middle, in the shape nearest to its own, on white.
   * @param {ImageBitmapSource} picture a file, an image element, a canvas, ..
   * @param {object} [options]
   * @param {string} [options.aspect] another shape than the nearest
   * @param {AbortSignal} [options.signal]
   * @param {(scale: Scale) => void} [options.onScale] what the tokens so far keep of the picture
   * @returns {Promise<Encoded>}
   */
  async encode(picture, { aspect: wanted, signal, onScale } = {}) {
    const aspects = this.model.aspects.filter(({ name }) => wanted === undefined || name === wanted);
    if (aspects.length === 0) throw new EngineError("options", `this model has no shape ${wanted}; see engine.model.aspects`, "aspect");
    const { subject, original } = await this.#read(picture, aspects);
    const { aspect, rgba } = subject;
    /** @type {Scale[]} */
    const scales = [];
    /** @type {number[]} */
    let psnr = [];
    const reading = this.#stream(
      async (listen) => {
        const end = await this.#client.encode(aspect, rgba, listen);
        if (end.type === "encoded") psnr = end.psnr;
        return end;
      },
      shown,
      signal,
    );
    for await (const scale of reading) {
      scales.push(scale);
      onScale?.(scale);
    }
    return { aspect, bits: scales.map(({ bits }) => bits), psnr, scales, original };
  }

  /**
   * Draws over a picture: its first scales, or all outside of a mask, stay.
   * @param {ImageBitmapSource | Tokens} picture tokens have their shape already
   * @param {GenerateOptions & EditOptions} options
   * @returns {AsyncGenerator<Scale, void, undefined>}
   */
  async *edit(picture, { scales = 0, mask, ...options }) {
    const { signal, aspect: wanted } = options;
    const tokens = "bits" in picture ? picture : await this.encode(picture, { ...(wanted && { aspect: wanted }), ...(signal && { signal }) });
    yield* this.generate({ ...options, aspect: tokens.aspect, keep: { bits: tokens.bits, scales, ...(mask && { mask }) } });
  }

  /**
   * Flips bits of an image and shows, scale by scale, what comes of it: the clean path, the one with the old residuals kept, and the one
   * with later residuals quantised again (bitwise self-correction, Alg. 2 of the paper).
   * @param {ImageBitmapSource | Tokens} picture
   * @param {Flips} flips
   * @param {Pick<Listening, "signal">} [options]
   * @returns {AsyncGenerator<PathScale, void, undefined>}
   */
  async *flip(picture, flips, { signal } = {}) {
    const subject = "bits" in picture ? picture : (await this.#read(picture, this.model.aspects)).subject;
    yield* this.#stream(
      (listen) => this.#client.flip(subject, flips, listen),
      (event) => {
        if (event.type !== "path") return undefined;
        const { path, k, of, height, width, bits, deviation, image } = event;
        return { path, k, of, height, width, bits, deviation, image: pixels(image), final: k === of };
      },
      signal,
    );
  }

  /**
   * Teaches the model captioned pictures, which never leave the machine. The browser keeps a checkpoint every 50 steps, if it keeps
   * anything; otherwise the engine does as long as it lives.
   * @param {{ picture: ImageBitmapSource, caption: string }[]} examples each is cut to a square; its caption becomes its prompt
   * @param {TrainOptions} [options]
   * @returns {AsyncGenerator<Step, void, undefined>} one a step, with loss and share of right bits
   */
  async *train(examples, options = {}) {
    const { steps = 200, batch = 4, learningRate = 1e-3, flips = 0.3, seed = 0, resume = false, onSample, sampleEvery = steps, signal } = options;
    const square = this.model.aspects.filter(({ width, height }) => width === height);
    const read = [];
    for (const { picture } of examples) read.push((await this.#read(picture, square)).subject.rgba);
    const rgba = new Uint8Array(await new Blob(read).arrayBuffer());
    signal?.throwIfAborted();
    await this.#client.begin({ batch, seed }, { captions: examples.map(({ caption }) => caption), rgba }, resume);
    const pace = { learningRate, flips, steps, sampleEvery: onSample ? sampleEvery : steps, saveEvery: 50 };
    yield* this.#stream(
      (listen) => this.#client.train(pace, listen),
      (event) => {
        if (event.type === "sampled") {
          const { step, index, of, prompt, image } = event;
          onSample?.({ step, index, of, prompt, image: pixels(image) });
        }
        if (event.type !== "step") return undefined;
        // The last step is followed by samples; a cancel there ends nothing else.
        if (!onSample && event.step >= steps) this.#client.cancel();
        return event;
      },
      signal,
    );
  }

  /**
   * The model that `train` made, as files: for a download, or for `Engine.load`.
   * @param {string} name
   * @returns {Promise<File[]>}
   */
  async trained(name) {
    const { files } = await this.#client.pack(name);
    return files.map((file) => new File([file.bytes], file.name));
  }

  /**
   * @param {ImageBitmapSource} picture
   * @param {Aspect[]} aspects
   */
  async #read(picture, aspects) {
    const { aspect, pixels } = await fitted(picture, aspects).catch(() => {
      throw new EngineError("picture", "the browser cannot read this picture; try a PNG or JPEG of this page's own site");
    });
    return { subject: { aspect: aspect.name, rgba: new Uint8Array(pixels.data) }, original: pixels };
  }

  /** Ends the engine's thread and frees all that it holds. What it was doing ends with an error of the code `disposed`. */
  dispose() {
    this.#client.dispose();
  }

  /**
   * What one request answers with, as it comes.
   * @template T
   * @param {(listen: (event: import("../engine/protocol.js").EngineEvent) => void) => Promise<{ type: string }>} request
   * @param {(event: import("../engine/protocol.js").EngineEvent) => T | undefined} take what an event gives, if anything
   * @param {AbortSignal} [signal]
   * @returns {AsyncGenerator<T, void, undefined>}
   */
  async *#stream(request, take, signal) {
    signal?.throwIfAborted();
    /** @type {T[]} */
    const waiting = [];
    let [ended, wake] = [false, () => {}];
    const end = request((event) => {
      const taken = take(event);
      if (taken !== undefined) waiting.push(taken);
      wake();
    }).finally(() => {
      ended = true;
      wake();
    });
    end.catch(() => {}); // thrown below, unless the loop is left before
    const cancel = () => {
      this.#client.cancel();
      wake();
    };
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      while (!signal?.aborted) {
        const next = waiting.shift();
        if (next !== undefined) yield next;
        else if (ended) break;
        else await new Promise((resolve) => (wake = () => resolve(undefined)));
      }
      const { type } = await end.catch((error) => {
        throw signal?.aborted ? signal.reason : error;
      });
      signal?.throwIfAborted();
      if (type === "cancelled") throw new DOMException("The drawing was ended.", "AbortError");
    } finally {
      signal?.removeEventListener("abort", cancel);
      if (!ended) {
        this.#client.cancel();
        await end.catch(() => {});
      }
    }
  }

  /**
   * Lets a new client do its first task; it ends with a signal, or if the task fails.
   * @template T
   * @param {string | URL | undefined} baseUrl
   * @param {AbortSignal | undefined} signal
   * @param {(client: EngineClient) => Promise<T>} task
   * @returns {Promise<T>}
   */
  static async #alone(baseUrl, signal, task) {
    signal?.throwIfAborted();
    const client = new EngineClient(baseUrl);
    const stop = () => client.dispose();
    signal?.addEventListener("abort", stop, { once: true });
    try {
      return await task(client);
    } catch (error) {
      client.dispose();
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener("abort", stop);
    }
  }
}

/**
 * @param {import("../engine/protocol.js").EngineEvent} event
 * @returns {Scale | undefined} none of other events
 */
function shown(event) {
  if (event.type !== "scale") return undefined;
  const { k, of, height, width, ms, bits, image, deviation } = event;
  return { k, of, height, width, ms, bits, image: pixels(image), final: k === of, ...(deviation && { deviation }) };
}

/** @param {import("../engine/protocol.js").Pixels} image */
function pixels({ rgba, width, height }) {
  return new ImageData(new Uint8ClampedArray(rgba.buffer), width, height);
}
