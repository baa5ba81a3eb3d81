// One training, as the engine knows it: begun or taken up again, trained on, checkpointed in time, packed, discarded.

import { count, megabytes, sentence } from "../ui/format.js";

/** @typedef {import("../engine/client.js").EngineClient} EngineClient */
/** @typedef {import("../engine/protocol.js").Step} Step */
/** @typedef {import("../engine/protocol.js").TrainSchedule} TrainSchedule */

/** What the controls ask for. @typedef {{ config: import("../engine/protocol.js").TrainConfig, schedule: TrainSchedule, data: import("../engine/protocol.js").TrainingData }} Asked */

/**
 * @typedef {object} Listener
 * @property {(text: string) => void} status
 * @property {(text: string) => void} warning
 * @property {() => void} progress there is another step, or none any more
 * @property {(sampled: import("../engine/protocol.js").Sampled) => void} sampled
 * @property {() => void} begun without a checkpoint: older samples go
 * @property {() => Promise<void>} keep settings, pictures and curve should outlive the page now
 */

/** A page that goes away loses no more than this of a training, in milliseconds. */
const SAVE_WITHIN = 30_000;

export class TrainingRun {
  #on;
  /** The engine that holds the training, if one does. @type {EngineClient | undefined} */
  #holder;
  /** Whether the checkpoint that is being made stays in memory. */
  #unkept = false;
  /** Whether the visitor knows that this training ends with the page. */
  #warned = false;
  /** When the newest checkpoint was kept, by the page's clock; none of a training that has just begun. */
  #savedAt = -Infinity;
  /** Whether the engine pauses only to keep a checkpoint. */
  #saving = false;
  #stopped = false;

  /** Whether there is a checkpoint to go on from. */
  open = false;
  /** Whether it outlives its engine: not where the browser keeps nothing. */
  lasts = true;
  running = false;
  /** @type {Step[]} */
  curve = [];
  /** The most that the engine's wasm heap has been, in bytes. */
  memory = 0;

  /** @param {Listener} on */
  constructor(on) {
    this.#on = on;
  }

  /** Whether there are weights to pack. */
  get learned() {
    return this.curve.length > 0 && (this.open || this.#holder !== undefined);
  }

  /** Whether what is open can be gone on with by another engine. */
  get resumable() {
    return this.open && this.lasts;
  }

  /**
   * What the last visit left.
   * @param {number | undefined} step of its checkpoint, if one is kept
   * @param {Step[]} curve
   */
  restore(step, curve) {
    this.open = step !== undefined;
    this.curve = curve.filter((done) => done.step <= (step ?? 0));
  }

  /** Another engine runs: what the one before held of a training went with it. @returns {boolean} whether that is lost */
  changeEngine() {
    const lost = this.#holder !== undefined && !this.resumable;
    if (lost) {
      this.open = false;
      this.curve = [];
    }
    this.#holder = undefined;
    return lost;
  }

  /** The kept checkpoint is deleted; what the engine holds stays. */
  forget() {
    this.open = false;
    if (!this.#holder) this.curve = [];
  }

  /**
   * Begins, or goes on, until all steps are done or the visitor pauses.
   * @param {EngineClient} client
   * @param {Asked} asked
   */
  async train(client, asked) {
    this.#stopped = false;
    if (!this.open || this.#holder !== client) await this.#begin(client, asked);
    let end;
    do {
      this.#saving = false;
      end = await client.train(asked.schedule, (event) => this.#listen(client, event, asked.schedule));
    } while (this.#saving && !this.#stopped && !end.finished);
    this.#on.status(
      end.finished
        ? `All ${count(end.step)} steps are done; more can be asked for.`
        : `Paused after step ${count(end.step)}; ${this.#warned ? "this browser does not keep it, so download it before you leave" : "a reload goes on from here"}.`,
    );
  }

  /** The visitor pauses the training. */
  stop() {
    this.#stopped = true;
  }

  /** The page is left: the checkpoint may still come in time, its curve is only needed up to there. */
  leave() {
    if (!this.running) return;
    this.#save();
    if (this.open) void this.#on.keep();
  }

  /** Ends the training for good; what it has learned can be used until another is begun. @param {EngineClient} client */
  async discard(client) {
    await client.forget();
    this.open = false;
    this.#on.status("Stopped. What it has learned can be used until another model is loaded.");
    await this.#on.keep();
  }

  /**
   * The trained model as files.
   * @param {EngineClient} client
   * @param {Asked} asked
   * @param {string} name
   */
  async pack(client, asked, name) {
    if (this.#holder !== client) await this.#begin(client, asked);
    this.#on.status("Packing the model.");
    const { files } = await client.pack(name);
    const bytes = files.reduce((sum, file) => sum + file.bytes.byteLength, 0);
    this.#on.status(`Packed: ${megabytes(bytes)} MB in ${files.length} files.`);
    return files;
  }

  /** An error in the middle of a step: the training goes on from the checkpoint before it, if at all. */
  fail() {
    this.#holder = undefined;
  }

  /**
   * Says once for each training that it does not outlive the page.
   * @param {string} reason
   * @param {string} end
   */
  warn(reason, end) {
    if (this.#warned) return;
    this.#warned = true;
    this.#on.warning(`This browser does not keep the training (${sentence(reason).slice(0, -1)}). It goes on ${end}; press Download before that.`);
  }

  /**
   * @param {EngineClient} client
   * @param {Asked} asked
   */
  async #begin(client, { config, data }) {
    this.#on.status("Setting up.");
    const { step, parameters, newWords } = await client.begin(config, data, this.open);
    this.#holder = client;
    this.#savedAt = this.open ? performance.now() : -Infinity;
    if (!this.open) this.#warned = false;
    this.curve = this.curve.filter((done) => this.open && done.step <= step);
    if (!this.open) this.#on.begun();
    const words = newWords.length ? `, new words: ${newWords.slice(0, 12).join(", ")}${newWords.length > 12 ? " …" : ""}` : "";
    this.#on.status(`${count(parameters)} parameters${words}.`);
    await this.#on.keep();
  }

  /**
   * @param {EngineClient} client
   * @param {import("../engine/protocol.js").EngineEvent} event
   * @param {TrainSchedule} schedule
   */
  #listen(client, event, schedule) {
    if (event.type === "step") {
      this.curve.push(event);
      this.memory = client.memory;
      if (event.step > 1) this.#on.status("Training.");
      this.#on.progress();
      if (this.#due(event, schedule)) this.#save();
    } else if (event.type === "sampled") {
      this.#on.sampled(event);
    } else if (event.type === "unkept") {
      this.#unkept = true;
      this.warn(event.message, "until you load another model or leave the page");
    } else if (event.type === "saved") {
      this.open = true;
      this.lasts = !this.#unkept;
      this.#unkept = false;
      this.#savedAt = performance.now();
      void this.#on.keep();
    }
  }

  /**
   * Whether a checkpoint is due by time. Samples that are being generated when it is made would be lost; the last step has its own.
   * @param {Step} done
   * @param {TrainSchedule} schedule
   */
  #due({ step }, { sampleEvery, steps }) {
    const samples = [step, step + 1].some((step) => step % sampleEvery === 0);
    return performance.now() - this.#savedAt > SAVE_WITHIN && (!samples || sampleEvery <= 2) && step + 1 < steps;
  }

  /** Has the engine keep a checkpoint and go on. */
  #save() {
    if (!this.running || !this.#holder || this.#saving || this.#stopped) return;
    this.#saving = true;
    this.#holder.cancel();
  }
}
