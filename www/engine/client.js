// The page's handle on the engine: commands in, promises and events out. One client owns one worker.

import { resolve } from "./address.js";
import { EngineError, crash } from "./error.js";
import { PROTOCOL } from "./protocol.js";
import { startThread } from "./start-thread.js";

/** @typedef {import("./protocol.js").EngineEvent} EngineEvent */
/** @typedef {import("./protocol.js").Command} Command */
/** @typedef {(event: EngineEvent) => void} Listener */

export class EngineClient {
  #worker;
  /** @type {PromiseWithResolvers<void>} */
  #ready = Promise.withResolvers();
  /** @type {{ listen: Listener, resolve: (last: any) => void, reject: (error: EngineError) => void } | undefined} */
  #job;
  /** Why it does nothing more. @type {EngineError | undefined} */
  #ended;

  /**
   * @param {string | URL} [baseUrl] the folder of worker.js and the wasm, if not that of this script
   * @throws {EngineError}
   */
  constructor(baseUrl) {
    this.#worker = startThread(baseUrl);
    this.#ready.promise.catch(() => {}); // whoever sends the first command gets the error
    this.#worker.addEventListener("message", (event) => this.#receive(event.data));
    this.#worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.#fail(crash(event.message || "the engine's thread could not start; check that worker.js can be loaded"));
    });
  }

  /** The most that the engine's wasm heap has been, in bytes: it never shrinks. */
  memory = 0;
  /** Bytes that the engine holds on the GPU. */
  deviceMemory = 0;
  /**
   * What no kernel fitted in the last image, and in the last training step; null before there was one.
   * @type {{ image: import("./protocol.js").Fallback[] | null, step: import("./protocol.js").Fallback[] | null }}
   */
  fallbacks = { image: null, step: null };

  /**
   * Fetches and builds the model. Resolves with what the model says of itself.
   * @param {import("./protocol.js").Source} source
   * @param {import("./protocol.js").EngineChoice} engine
   * @param {Listener} listen gets `device` and `progress` events
   * @param {boolean} [cache] whether the browser keeps the model's files for the next time
   * @param {import("./protocol.js").Weights} [weights] the format in which a GPU keeps the weights of layers
   * @returns {Promise<import("./protocol.js").ModelInfo>}
   */
  async load(source, engine, listen, cache = true, weights = "f32") {
    const loaded = await this.#run({ type: "load", source: resolve(source), engine, cache, weights }, listen);
    return loaded.model;
  }

  /**
   * What a model's manifest says, without loading the model.
   * @param {import("./protocol.js").Source} source
   * @returns {Promise<import("./protocol.js").Inspected>}
   */
  async inspect(source) {
    return this.#run({ type: "inspect", source: resolve(source) }, () => {});
  }

  /**
   * Fetches what generating did not need of a model and keeps it for later visits, its baseline included.
   * @param {import("./protocol.js").Source} source
   * @returns {Promise<import("./protocol.js").Prefetched>}
   */
  async prefetch(source) {
    return this.#run({ type: "prefetch", source: resolve(source) }, () => {});
  }

  /**
   * Generates one image. Resolves when it is finished or cancelled.
   * @param {import("./protocol.js").Options} options
   * @param {Listener} listen gets `started` and one `scale` event per scale
   * @param {import("./protocol.js").Network} [by]
   * @returns {Promise<import("./protocol.js").Finished | import("./protocol.js").Cancelled>}
   */
  generate(options, listen, by = "model") {
    return this.#run({ type: "generate", options, by }, listen);
  }

  /**
   * Loads the model's teacher-forced baseline beside it.
   * @param {string} path that the model says
   * @param {Listener} listen gets `progress` events
   * @returns {Promise<import("./protocol.js").Loaded>}
   */
  loadBaseline(path, listen) {
    return this.#run({ type: "loadBaseline", path }, listen);
  }

  /** Gives the baseline's memory back, for the engine to use again. */
  freeBaseline() {
    this.#send({ type: "freeBaseline" });
  }

  /**
   * Flips bits of an image and shows what comes of it, on three paths.
   * @param {import("./protocol.js").Subject} subject
   * @param {import("./protocol.js").Flips} flips
   * @param {Listener} listen gets `progress` events if a picture is the first, then one `path` event per scale and path
   * @returns {Promise<import("./protocol.js").Compared | import("./protocol.js").Cancelled>}
   */
  flip(subject, flips, listen) {
    return this.#run({ type: "flip", subject, flips }, listen);
  }

  /**
   * Shows the image that the bits are.
   * @param {string} aspect name of its shape
   * @param {import("./protocol.js").Words[]} bits of every scale
   * @param {Listener} listen gets one `scale` event per scale
   * @returns {Promise<import("./protocol.js").Decoded | import("./protocol.js").Cancelled>}
   */
  decode(aspect, bits, listen) {
    return this.#run({ type: "decode", aspect, bits }, listen);
  }

  /**
   * Reads a picture into bits.
   * @param {string} aspect name of its shape
   * @param {Uint8Array} rgba its pixels in the size of that shape
   * @param {Listener} listen gets `progress` events the first time, then one `scale` event per scale
   * @returns {Promise<import("./protocol.js").Encoded | import("./protocol.js").Cancelled>}
   */
  encode(aspect, rgba, listen) {
    return this.#run({ type: "encode", aspect, rgba }, listen);
  }

  /**
   * Sets a training up on the loaded model.
   * @param {import("./protocol.js").TrainConfig} config
   * @param {import("./protocol.js").TrainingData} data
   * @param {boolean} resume whether it goes on where the kept checkpoint left it
   * @returns {Promise<import("./protocol.js").TrainingReady>}
   */
  begin(config, data, resume) {
    return this.#run({ type: "begin", config, data, resume }, () => {});
  }

  /**
   * Trains on. Resolves when all steps are done or the work is cancelled, with everything kept.
   * @param {import("./protocol.js").TrainSchedule} schedule
   * @param {Listener} listen gets `step`, `sampled`, `unkept` and `saved` events
   * @returns {Promise<import("./protocol.js").Paused>}
   */
  train(schedule, listen) {
    return this.#run({ type: "train", schedule }, listen);
  }

  /**
   * The trained model as files.
   * @param {string} name
   * @returns {Promise<import("./protocol.js").Packed>}
   */
  pack(name) {
    return this.#run({ type: "pack", name }, () => {});
  }

  /** Deletes the kept training. @returns {Promise<import("./protocol.js").Forgotten>} */
  forget() {
    return this.#run({ type: "forget" }, () => {});
  }

  /** Ends the work at once, a training within one step; its promise resolves with `cancelled`. */
  cancel() {
    // Never ahead of the command that it is to end.
    this.#ready.promise.then(() => this.#send({ type: "cancel" }), () => {});
  }

  /** Ends the worker; frees all memory that the model holds. */
  dispose() {
    this.#worker.terminate();
    this.#fail(new EngineError("disposed", "the engine was stopped; start another"));
  }

  /**
   * @param {Command} command
   * @param {Listener} listen
   * @returns {Promise<any>}
   */
  async #run(command, listen) {
    if (this.#ended) throw this.#ended;
    if (this.#job) throw new EngineError("busy", "the engine is at work; stop it first");
    const finished = new Promise((resolve, reject) => {
      this.#job = { listen, resolve, reject };
    });
    this.#ready.promise.then(
      () => this.#send(command),
      (error) => this.#fail(error),
    );
    return finished;
  }

  /** @param {Command} command */
  #send(command) {
    this.#worker.postMessage(command);
  }

  /** @param {EngineEvent} event */
  #receive(event) {
    if (event.type === "finished") this.fallbacks.image = event.fallbacks;
    if (event.type === "step") this.fallbacks.step = event.fallbacks;
    switch (event.type) {
      case "ready":
        if (event.protocol === PROTOCOL) this.#ready.resolve();
        else this.#fail(new EngineError("protocol", "page and engine are of different versions; reload the page without its cache"));
        break;
      case "loaded":
      case "inspected":
      case "prefetched":
      case "finished":
      case "decoded":
      case "encoded":
      case "compared":
      case "studying":
      case "paused":
      case "packed":
      case "forgotten":
      case "cancelled":
        this.#end()?.resolve(event);
        break;
      case "error":
        this.#end()?.reject(new EngineError(event.code, event.message, event.field));
        break;
      case "memory":
        this.memory = event.bytes;
        this.deviceMemory = event.device ?? this.deviceMemory;
        break;
      case "crashed":
        this.#fail(crash(event.message));
        break;
      default:
        this.#job?.listen(event);
    }
  }

  #end() {
    const job = this.#job;
    this.#job = undefined;
    return job;
  }

  /** @param {EngineError} error */
  #fail(error) {
    this.#ended ??= error;
    this.#ready.reject(error);
    this.#end()?.reject(error);
  }
}
