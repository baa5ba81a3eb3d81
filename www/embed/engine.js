// The engine for whoever embeds it: a model in its own thread, images as async iterators.
//
// Stands on the same client as the page (engine/client.js).

import { survey } from "../engine/device.js";
import { EngineError } from "../engine/error.js";
import { fitToAspect } from "../image/fit-to-aspect.js";
import { randomSeed } from "../engine/random-seed.js";
import { clearStorage, storedBytes } from "../engine/storage.js";
import { pixels, scaleOf, stream, withClient } from "./stream.js";

export { EngineError };

export * from "./types.js";

/**
 * @import { Aspect, DeviceChosen, EditOptions, Encoded, Flips, GenerateOptions, Inspected, Listening, LoadOptions, ModelInfo, PathScale,
 *   Scale, Source, Step, Support, Tokens, TrainOptions } from "./types.js"
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
   * @param {import("../engine/client.js").EngineClient} client
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

  /** Looks at the browser and its GPU; downloads nothing. @returns {Promise<Support>} */
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
    const model = await withClient(baseUrl, signal, (client) =>
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
    return withClient(baseUrl, signal, async (client) => {
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

  /** Size of the engine's memory in bytes, as of its last report; the GPU's comes on top. */
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
    yield* stream(
      this.#client,
      (listen) => this.#client.generate({ seed, aspect, ...options }, listen),
      (event) => {
        if (event.type === "started") onStart?.(event);
        return scaleOf(event);
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
    yield* stream(this.#client, (listen) => this.#client.decode(aspect, bits, listen), scaleOf, signal);
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
    const reading = stream(
      this.#client,
      async (listen) => {
        const end = await this.#client.encode(aspect, rgba, listen);
        if (end.type === "encoded") psnr = end.psnr;
        return end;
      },
      scaleOf,
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
   * with later residuals quantized again (bitwise self-correction, Alg. 2 of the paper).
   * @param {ImageBitmapSource | Tokens} picture
   * @param {Flips} flips
   * @param {Pick<Listening, "signal">} [options]
   * @returns {AsyncGenerator<PathScale, void, undefined>}
   */
  async *flip(picture, flips, { signal } = {}) {
    const subject = "bits" in picture ? picture : (await this.#read(picture, this.model.aspects)).subject;
    yield* stream(
      this.#client,
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
    const schedule = { learningRate, flips, steps, sampleEvery: onSample ? sampleEvery : steps, saveEvery: 50 };
    yield* stream(
      this.#client,
      (listen) => this.#client.train(schedule, listen),
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
    const { aspect, pixels } = await fitToAspect(picture, aspects).catch(() => {
      throw new EngineError("picture", "the browser cannot read this picture; try a PNG or JPEG of this page's own site");
    });
    return { subject: { aspect: aspect.name, rgba: new Uint8Array(pixels.data) }, original: pixels };
  }

  /** Ends the engine's thread and frees all that it holds. What it was doing ends with an error of the code `disposed`. */
  dispose() {
    this.#client.dispose();
  }
}
