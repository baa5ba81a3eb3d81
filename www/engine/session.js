// The page's engine: loads a model into it, lets it do one thing at a time, stops it, and starts another one when it dies.

import { sentence } from "../ui/format.js";
import { EngineClient } from "./client.js";
import { EngineError, isCrash } from "./error.js";

/** @typedef {import("./panel.js").State} State */
/** @typedef {import("./protocol.js").ModelInfo} ModelInfo */
/** @typedef {import("./protocol.js").Source} Source */
/** @typedef {(client: EngineClient) => Promise<void>} Task */

/**
 * What the page does with a session's events.
 * @typedef {object} Listener
 * @property {(state: State) => void} state has changed
 * @property {() => void} starting a model is about to be loaded
 * @property {(event: import("./protocol.js").EngineEvent) => void} loading gets `device` and `progress` events
 * @property {(model: ModelInfo, ms: number, message: string) => void} loaded with what the visitor should read
 * @property {(error: unknown, message: string, stopped: boolean) => void} unloaded the model could not be loaded, or the visitor stopped it
 * @property {() => void} ready the engine waits for its first task
 * @property {() => void} begin a task begins
 * @property {() => void} end a task has ended well
 * @property {(error: unknown, message: string) => void} failed a task ended with an error
 * @property {() => void} stop Stop was pressed
 */

export class Session {
  #on;
  /** What the engine is at, so that something else can wait for its end. @type {Promise<void>} */
  #task = Promise.resolve();

  /** @type {EngineClient | undefined} */
  client;
  /** @type {ModelInfo | undefined} */
  model;
  /** @type {State} */
  state = "loading";
  /** What the visitor chose. @type {import("./protocol.js").EngineChoice} */
  choice = "auto";
  /** The engine that runs, which an automatic choice may have picked. @type {"webgpu" | "cpu" | undefined} */
  engine;

  /**
   * @param {Source} source of the first model
   * @param {Listener} on
   */
  constructor(source, on) {
    this.source = source;
    this.#on = on;
  }

  /**
   * Starts an engine in place of the one before, and loads the model into it.
   * @param {string} [message] said once the engine is ready
   * @param {import("./protocol.js").EngineChoice} [choice] if not the visitor's
   * @returns {Promise<void>}
   */
  async load(message = "Ready.", choice = this.choice) {
    this.client?.dispose();
    const client = new EngineClient();
    this.client = client;
    this.engine = undefined;
    this.#enter("loading");
    this.#on.starting();
    const began = performance.now();
    try {
      this.model = await client.load(this.source, choice, (event) => {
        if (event.type === "device") this.engine = event.engine;
        this.#on.loading(event);
      });
    } catch (error) {
      if (client !== this.client) return; // another engine was chosen meanwhile
      const broken = isCrash(error) || hasCode(error, "device");
      if (broken && this.engine === "webgpu" && choice === "auto") {
        return this.load("WebGPU failed while loading, so the CPU engine took over.", "cpu");
      }
      const stopped = hasCode(error, "disposed");
      this.#on.unloaded(error, stopped ? "Loading was stopped." : explain(error), stopped);
      return this.#enter("failed");
    }
    this.#on.loaded(this.model, performance.now() - began, message);
    this.#enter("idle");
    this.#on.ready();
  }

  /**
   * Lets the engine do one thing after it has stopped whatever it does.
   * @param {Task} task
   */
  async run(task) {
    if (this.state === "drawing") this.stop();
    await this.#task;
    if (this.state !== "idle" || !this.client) return;
    this.#on.begin();
    this.#enter("drawing");
    this.#task = this.#attempt(task, this.client);
    await this.#task;
  }

  /** Stops what the engine does, as the visitor wants it. Only the end of the engine stops its loading. */
  stop() {
    this.#on.stop();
    if (this.state === "loading") this.client?.dispose();
    else this.client?.cancel();
  }

  /**
   * Reports an error, and replaces a dead engine.
   * @param {Task} task
   * @param {EngineClient} client
   */
  async #attempt(task, client) {
    const { engine } = this;
    try {
      await task(client);
      if (client !== this.client) return;
      this.#on.end();
      this.#enter("idle");
    } catch (error) {
      if (client !== this.client) return;
      if (!isCrash(error)) {
        this.#on.failed(error, explain(error));
        this.#enter("idle");
      } else if (engine === "webgpu" && this.choice === "auto") void this.load("WebGPU failed, so the CPU engine took over.", "cpu");
      else if (hasCode(error, "out-of-memory")) void this.load(explain(error));
      else void this.load("The engine stopped unexpectedly and has been started again.");
    }
  }

  /** @param {State} state */
  #enter(state) {
    this.state = state;
    this.#on.state(state);
  }
}

/**
 * @param {unknown} error
 * @param {import("./error.js").ErrorCode} code
 */
const hasCode = (error, code) => error instanceof EngineError && error.code === code;

/** An error as a sentence for the visitor. @param {unknown} error */
function explain(error) {
  if (hasCode(error, "out-of-memory")) return "The engine ran out of memory; load a smaller model, or choose the other engine, under Models.";
  if (isCrash(error)) return "The engine stopped unexpectedly; try again, or choose the other engine under Models.";
  return sentence(error instanceof Error ? error.message : String(error));
}
