// The page's handle on the engine: commands in, promises and events out. One client owns one worker.

import { PROTOCOL } from "./protocol.js";

/** @typedef {import("./protocol.js").EngineEvent} EngineEvent */
/** @typedef {import("./protocol.js").Command} Command */
/** @typedef {(event: EngineEvent) => void} Listener */

/** What went wrong and, after a semicolon, what to do; `field` names the option at fault, if one is. */
export class EngineError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {string | null} [field]
   */
  constructor(code, message, field = null) {
    super(message);
    this.name = "EngineError";
    this.code = code;
    this.field = field;
  }
}

export class EngineClient {
  #worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  /** @type {PromiseWithResolvers<void>} */
  #ready = Promise.withResolvers();
  /** @type {{ listen: Listener, resolve: (last: any) => void, reject: (error: EngineError) => void } | undefined} */
  #job;

  constructor() {
    this.#ready.promise.catch(() => {}); // whoever sends the first command gets the error
    this.#worker.addEventListener("message", (event) => this.#receive(event.data));
    this.#worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.#fail(new EngineError("crashed", event.message || "the engine's thread could not start"));
    });
  }

  /** Size of the engine's wasm heap in bytes. */
  memory = 0;

  /**
   * Fetches and builds the model. Resolves with what the model says of itself.
   * @param {import("./protocol.js").Source} source
   * @param {import("./protocol.js").EngineChoice} engine
   * @param {Listener} listen gets `device` and `progress` events
   * @returns {Promise<import("./protocol.js").ModelInfo>}
   */
  async load(source, engine, listen) {
    const loaded = await this.#run({ type: "load", source: absolute(source), engine }, listen);
    return loaded.model;
  }

  /**
   * What a model's manifest says, without loading the model.
   * @param {import("./protocol.js").Source} source
   * @returns {Promise<import("./protocol.js").Inspected>}
   */
  inspect(source) {
    return this.#run({ type: "inspect", source: absolute(source) }, () => {});
  }

  /**
   * Draws one image. Resolves when it is finished or cancelled.
   * @param {import("./protocol.js").Options} options
   * @param {Listener} listen gets `started` and one `scale` event per scale
   * @param {import("./protocol.js").Drawer} [by]
   * @returns {Promise<import("./protocol.js").Finished | import("./protocol.js").Cancelled>}
   */
  generate(options, listen, by = "model") {
    return this.#run({ type: "generate", options, by }, listen);
  }

  /**
   * Loads the model's teacher-forcing twin beside it.
   * @param {string} path that the model says
   * @param {Listener} listen gets `progress` events
   * @returns {Promise<import("./protocol.js").Loaded>}
   */
  loadTwin(path, listen) {
    return this.#run({ type: "loadTwin", path }, listen);
  }

  /** Gives the twin's memory back, for the engine to use again. */
  freeTwin() {
    this.#send({ type: "freeTwin" });
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
   * @param {import("./protocol.js").Study} study
   * @param {import("./protocol.js").Material} material
   * @param {boolean} resume whether it goes on where the kept checkpoint left it
   * @returns {Promise<import("./protocol.js").Studying>}
   */
  begin(study, material, resume) {
    return this.#run({ type: "begin", study, material, resume }, () => {});
  }

  /**
   * Trains on. Resolves when all steps are done or the work is cancelled, with everything kept.
   * @param {import("./protocol.js").Pace} pace
   * @param {Listener} listen gets `step`, `sampled` and `saved` events
   * @returns {Promise<import("./protocol.js").Paused>}
   */
  train(pace, listen) {
    return this.#run({ type: "train", pace }, listen);
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

  /** Ends the work within one layer, a training within one step; its promise resolves with `cancelled`. */
  cancel() {
    this.#send({ type: "cancel" });
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
    switch (event.type) {
      case "ready":
        if (event.protocol === PROTOCOL) this.#ready.resolve();
        else this.#fail(new EngineError("protocol", "page and engine are of different versions; reload the page without its cache"));
        break;
      case "loaded":
      case "inspected":
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
        break;
      case "crashed":
        this.#fail(new EngineError("crashed", event.message));
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
    this.#ready.reject(error);
    this.#end()?.reject(error);
  }
}

/** @param {import("./protocol.js").Source} source */
function absolute(source) {
  return typeof source === "string" ? new URL(source, document.baseURI).href : source;
}
