// The part of the page that trains: what its controls say goes to the engine, what the engine says to curves and samples.

import { keptStep } from "../engine/worker/checkpoints.js";
import { element, make, save } from "../ui/dom.js";
import { paint, picture } from "../image/drawing.js";
import { EngineError, isCrash } from "../engine/error.js";
import { count, duration, megabytes, sentence } from "../ui/format.js";
import { DRAWINGS } from "../engine/prefetch.js";
import { persist } from "../engine/storage.js";
import { means, plot } from "./curves.js";
import { DraftStore } from "./draft.js";
import { SettingsError, TrainForm } from "./settings-form.js";
import { Album } from "./pictures.js";
import { zip } from "../ui/zip.js";

/** @typedef {import("../engine/client.js").EngineClient} EngineClient */
/** @typedef {import("../engine/protocol.js").EngineEvent} EngineEvent */
/** @typedef {import("../engine/protocol.js").Step} Step */

/**
 * What the page lends.
 * @typedef {object} Page
 * @property {(act: (client: EngineClient) => Promise<void>) => Promise<void>} work lets the engine do this after all that it does
 * @property {() => void} pause ends what the engine does
 * @property {(files: File[]) => void} use loads a model and goes on to draw with it
 */

/** A page that goes away loses no more than this of a training, in milliseconds. */
const SAVE_WITHIN = 30_000;
/** Steps whose mean is the speed. */
const RECENT = 12;
/** Pictures that were looked at until ten were learned, in steps of four: the measure of the page's own estimate. */
const TEN = 200 * 4;
/** Milliseconds that a picture of a step takes the CPU engine with the default model on two cores (docs/performance.md). */
const MEASURED = 480;

export class Trainer {
  #page;
  #form = new TrainForm();
  #album = new Album();
  #drafts = new DraftStore();
  #go = element("train-go", HTMLButtonElement);
  #stop = element("train-stop", HTMLButtonElement);
  #alert = element("train-alert", HTMLElement);
  #status = element("train-status", HTMLElement);
  #samples = element("train-samples", HTMLUListElement);
  /** The engine that holds the training, if one does. @type {EngineClient | undefined} */
  #holder;
  /** Whether there is a checkpoint to go on from. */
  #open = false;
  /** Whether it outlives its engine: not where the browser keeps nothing. */
  #lasts = true;
  /** Whether the checkpoint that is being made stays in memory. */
  #unkept = false;
  /** So many pictures outlive the page. */
  kept = 0;
  /** Whether the visitor knows that this training ends with the page. */
  #warned = false;
  #running = false;
  /** When the newest checkpoint was kept, by the page's clock; none of a training that has just begun. */
  #savedAt = -Infinity;
  /** Whether the engine pauses only to keep a checkpoint. */
  #saving = false;
  /** Whether the visitor has ended what it does. */
  #halted = false;
  /** What the engine is at. */
  #state = "loading";
  /** @type {Step[]} */
  #curve = [];
  #memory = 0;
  #drawn = false;
  /** Settings and pictures of the last visit are here. @type {Promise<void>} */
  #restored;

  /** @param {Page} page */
  constructor(page) {
    this.#page = page;
    this.#form.onchange = () => this.#changed();
    this.#album.onchange = () => this.#changed();
    this.#album.onerror = (message) => this.#tell(message);
    element("train-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#running) this.#page.pause();
      else void this.#train();
    });
    this.#stop.addEventListener("click", () => this.#end());
    element("train-use", HTMLButtonElement).addEventListener("click", async () => {
      const files = await this.#pack();
      if (files) this.#page.use(files.map(({ name, bytes }) => new File([bytes], name)));
    });
    element("train-save", HTMLButtonElement).addEventListener("click", async () => {
      const files = await this.#pack();
      if (files) save(zip(files), `${this.#name.toLowerCase().replace(/[^a-z0-9]+/g, "-")}.zip`);
    });
    // A tab that is left may not come back.
    document.addEventListener("visibilitychange", () => document.hidden && this.#leave());
    window.addEventListener("pagehide", () => this.#leave());
    this.#restored = this.#restore();
  }

  /** What the engine does is ended by the visitor. */
  halt() {
    this.#halted = true;
  }

  /** The model that is loaded, to be trained further. @param {import("../engine/protocol.js").ModelInfo} model */
  async fill(model) {
    await this.#restored;
    // Another engine: what the one before held of a training went with it.
    if (this.#holder && (!this.#open || !this.#lasts)) {
      this.#open = false;
      this.#curve = [];
      this.#status.textContent = "The training went with its engine; start another.";
    }
    this.#holder = undefined;
    this.#draw();
    this.#album.fit(model.aspects.find(({ name }) => name === "1:1")?.width ?? 0);
    this.#refresh();
  }

  /** @param {string} state of the engine */
  state(state) {
    this.#state = state;
    this.#refresh();
  }

  /** What the browser kept of the training is deleted; what is on the page stays until it is left. */
  async forget() {
    await this.#drafts.clear();
    this.kept = 0;
    this.#open = false;
    this.#curve = this.#holder ? this.#curve : [];
    this.#status.textContent = "What was kept of the training is deleted.";
    this.#draw();
    this.#refresh();
  }

  /** @param {boolean} shown whether this part of the page is in sight */
  show(shown) {
    if (shown) this.#draw();
  }

  async #restore() {
    const draft = await this.#drafts.load();
    if (!draft) return;
    this.#form.settings = draft.settings;
    this.#album.pictures = draft.pictures;
    this.kept = draft.pictures.length;
    const kept = draft.open ? await keptStep() : undefined;
    this.#open = kept !== undefined;
    this.#curve = draft.curve.filter(({ step }) => step <= (kept ?? 0));
    if (this.#open) this.#status.textContent = `Kept from the last visit after step ${count(kept ?? 0)}.`;
    this.#refresh();
    this.#draw();
  }

  #changed() {
    this.#tell("");
    this.#draw();
    void this.#keep();
  }

  /** Up to the checkpoint; what came after it will come again. */
  async #keep() {
    const { pictures } = this.#album;
    const open = this.#open && this.#lasts;
    const kept = await this.#drafts.save({ settings: this.#form.settings, pictures, open, curve: open ? this.#curve : [] });
    this.kept = kept ? pictures.length : 0;
    if (!kept && this.#open) this.#warn("it refuses the pictures", "until you leave the page");
  }

  /**
   * Once for each training.
   * @param {string} reason
   * @param {string} end
   */
  #warn(reason, end) {
    if (this.#warned) return;
    this.#warned = true;
    this.#tell(`This browser does not keep the training (${sentence(reason).slice(0, -1)}). It goes on ${end}; press Download before that.`);
  }

  /** Begins, or goes on. */
  async #train() {
    this.#tell("");
    const asked = this.#asked();
    if (!asked) return;
    const { study, material, pace } = asked;
    persist();
    await this.#work(async (client) => {
      this.#running = true;
      this.#halted = false;
      this.#refresh();
      if (!this.#open || this.#holder !== client) await this.#begin(client, study, material);
      let end;
      do {
        this.#saving = false;
        end = await client.train(pace, (event) => this.#listen(client, event, pace));
      } while (this.#saving && !this.#halted && !end.finished);
      this.#status.textContent = end.finished
        ? `All ${count(end.step)} steps are done; more can be asked for.`
        : `Paused after step ${count(end.step)}; ${this.#warned ? "this browser does not keep it, so download it before you leave" : "a reload goes on from here"}.`;
    });
  }

  /**
   * @param {EngineClient} client
   * @param {import("../engine/protocol.js").Study} study
   * @param {import("../engine/protocol.js").Material} material
   */
  async #begin(client, study, material) {
    this.#status.textContent = "Setting up.";
    const { step, parameters, newWords } = await client.begin(study, material, this.#open);
    this.#holder = client;
    this.#savedAt = this.#open ? performance.now() : -Infinity;
    if (!this.#open) this.#warned = false;
    this.#curve = this.#curve.filter((done) => this.#open && done.step <= step);
    if (!this.#open) this.#samples.replaceChildren();
    const words = newWords.length ? `, new words: ${newWords.slice(0, 12).join(", ")}${newWords.length > 12 ? " …" : ""}` : "";
    this.#status.textContent = `${count(parameters)} parameters${words}.`;
    await this.#keep();
  }

  /** What the controls say; a mistake is told. */
  #asked() {
    try {
      const [study, pace] = [this.#form.study(), this.#form.pace()];
      if (this.#form.what === "scratch") return { study, pace, material: { part: this.#form.part(), drawings: DRAWINGS } };
      const { pictures } = this.#album;
      if (pictures.length === 0) throw new SettingsError("Add the pictures to learn first.");
      if (pictures.some(({ caption }) => !caption.trim())) throw new SettingsError("Give every picture a caption; it is the prompt that brings it back.");
      return { study, pace, material: this.#album.material() };
    } catch (error) {
      this.#tell(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  /**
   * Lets the engine work for the training. Its errors are told here; a dead engine is the page's to replace.
   * @param {(client: EngineClient) => Promise<void>} act
   */
  async #work(act) {
    await this.#page.work(async (client) => {
      try {
        await act(client);
      } catch (error) {
        if (isCrash(error) || (error instanceof EngineError && error.code === "disposed")) {
          this.#tell(this.#open && this.#lasts ? "The engine stopped; Resume goes on from the last checkpoint." : "The engine stopped; start again.");
          throw error;
        }
        // What failed in the middle of a step is not gone on with; the checkpoint before it may be.
        this.#holder = undefined;
        this.#status.textContent = "";
        this.#tell(sentence(error instanceof Error ? error.message : String(error)));
      } finally {
        this.#running = false;
        this.#draw();
      }
    });
    this.#refresh();
  }

  /**
   * @param {EngineClient} client
   * @param {EngineEvent} event
   * @param {import("../engine/protocol.js").Pace} pace
   */
  #listen(client, event, pace) {
    if (event.type === "step") {
      this.#curve.push(event);
      this.#memory = client.memory;
      this.#status.textContent = event.step <= 1 ? this.#status.textContent : "Training.";
      this.#draw();
      if (this.#due(event, pace)) this.#save();
    } else if (event.type === "sampled") {
      this.#sample(event);
    } else if (event.type === "unkept") {
      this.#unkept = true;
      this.#warn(event.message, "until you load another model or leave the page");
    } else if (event.type === "saved") {
      this.#open = true;
      this.#lasts = !this.#unkept;
      this.#unkept = false;
      this.#savedAt = performance.now();
      void this.#keep();
    }
  }

  /**
   * Whether a checkpoint is due by time. Samples that are being drawn when it is made would be lost; the last step has its own.
   * @param {Step} done
   * @param {import("../engine/protocol.js").Pace} pace
   */
  #due({ step }, { sampleEvery, steps }) {
    const samples = [step, step + 1].some((step) => step % sampleEvery === 0);
    return performance.now() - this.#savedAt > SAVE_WITHIN && (!samples || sampleEvery <= 2) && step + 1 < steps;
  }

  /** Has the engine keep a checkpoint and go on. */
  #save() {
    if (!this.#running || !this.#holder || this.#saving || this.#halted) return;
    this.#saving = true;
    this.#holder.cancel();
  }

  /** The page is left: the checkpoint may still come in time, its curve is only needed up to there. */
  #leave() {
    if (!this.#running) return;
    this.#save();
    if (this.#open) void this.#keep();
  }

  /** Ends the training for good; what it has learned can be used until another is begun. */
  async #end() {
    await this.#work(async (client) => {
      await client.forget();
      this.#open = false;
      this.#status.textContent = "Stopped. What it has learned can be used until another model is loaded.";
      await this.#keep();
    });
  }

  /** @returns {Promise<import("../engine/protocol.js").ModelFile[] | undefined>} none if that failed, which is told */
  async #pack() {
    const asked = this.#asked();
    if (!asked) return undefined;
    /** @type {import("../engine/protocol.js").ModelFile[] | undefined} */
    let files;
    await this.#work(async (client) => {
      if (this.#holder !== client) await this.#begin(client, asked.study, asked.material);
      this.#status.textContent = "Packing the model.";
      ({ files } = await client.pack(this.#name));
      const bytes = files.reduce((sum, file) => sum + file.bytes.byteLength, 0);
      this.#status.textContent = `Packed: ${megabytes(bytes)} MB in ${files.length} files.`;
    });
    return files;
  }

  get #name() {
    return element("train-name", HTMLInputElement).value.trim() || "My model";
  }

  /** @param {import("../engine/protocol.js").Sampled} sampled */
  #sample({ step, index, prompt, image }) {
    const canvas = make("canvas", { role: "img", "aria-label": `Sample: ${prompt}` });
    paint(canvas, picture({ image }));
    const item = make("li", { title: prompt }, canvas, make("span", {}, prompt));
    const before = this.#samples.children[index];
    if (before) before.replaceWith(item);
    else this.#samples.append(item);
    element("train-sampled", HTMLElement).textContent = `after step ${count(step)}`;
    element("train-unsampled", HTMLElement).hidden = true;
  }

  /** @param {string} message */
  #tell(message) {
    this.#alert.textContent = message;
    this.#alert.hidden = message === "";
  }

  #refresh() {
    const ready = this.#state === "idle";
    this.#go.textContent = this.#running ? "Pause" : this.#open ? "Resume" : "Start";
    this.#go.disabled = !ready && !this.#running;
    this.#stop.disabled = !this.#open && !this.#running;
    this.#form.lock({ begun: this.#open || this.#running, running: this.#running });
    this.#album.lock(this.#open || this.#running);
    const learned = ready && this.#curve.length > 0 && (this.#open || this.#holder !== undefined);
    element("train-use", HTMLButtonElement).disabled = !learned;
    element("train-save", HTMLButtonElement).disabled = !learned;
  }

  /** Figures and curves, once a frame at most: in a hidden tab not at all. */
  #draw() {
    if (this.#drawn) return;
    this.#drawn = true;
    requestAnimationFrame(() => {
      this.#drawn = false;
      this.#figures();
      this.#curves();
    });
  }

  #figures() {
    const last = this.#curve.at(-1);
    const recent = this.#curve.slice(-RECENT);
    const ms = recent.reduce((sum, step) => sum + step.ms, 0) / Math.max(1, recent.length);
    const say = (/** @type {string} */ id, /** @type {string} */ text) => (element(`train-${id}`, HTMLElement).textContent = text);
    say("estimate", this.#estimate(last && ms));
    if (!last) {
      for (const id of ["step", "loss", "accuracy", "speed", "left", "memory"]) say(id, "–");
      return;
    }
    const smooth = (/** @type {(step: Step) => number} */ value) => means(this.#curve.slice(-4 * RECENT).map(value)).at(-1) ?? 0;
    say("step", `${count(last.step)} of ${count(last.of)}`);
    say("loss", smooth(({ loss }) => loss).toFixed(3));
    say("accuracy", `${(100 * smooth(({ accuracy }) => accuracy)).toFixed(1)} %`);
    say("speed", (1000 / ms).toPrecision(2));
    say("left", minutes((last.of - last.step) * ms));
    say("memory", this.#memory ? `${megabytes(this.#memory)} MB` : "–");
  }

  /** How long ten pictures take. @param {number | undefined} ms of a step here, once one is done */
  #estimate(ms) {
    const batch = this.#form.batch;
    const steps = Math.ceil(TEN / batch);
    const size = batch === 1 ? "one picture" : `${count(batch)} pictures`;
    if (ms !== undefined) {
      return `On this device a step of ${size} takes ${duration(ms)} now, so ten pictures would take about ${minutes(steps * ms)}.`;
    }
    const before = MEASURED * batch;
    return `Without a graphics card a step of ${size} took the built-in model about ${duration(before)}, so ten pictures would take about ${minutes(steps * before)}; how long it is here shows after the first step.`;
  }

  #curves() {
    const steps = this.#curve.map(({ step }) => step);
    const rows = (/** @type {(step: Step) => number[]} */ values) => this.#curve.map(values);
    const losses = rows(({ losses, loss }) => [...losses, loss]);
    const accuracies = rows(({ accuracies, accuracy }) => [...accuracies, accuracy]);
    plot(element("train-losses", HTMLElement), {
      label: "Loss of every scale over the steps",
      steps,
      values: losses,
      top: 0.8,
      ticks: [0, 0.35, 0.7],
      format: (value) => value.toFixed(2),
    });
    plot(element("train-accuracies", HTMLElement), {
      label: "Share of right bits of every scale over the steps",
      steps,
      values: accuracies,
      top: 1,
      ticks: [0, 0.5, 1],
      format: (value) => `${100 * value} %`,
    });
    const scales = Math.max(0, (losses[0]?.length ?? 0) - 1);
    const key = Array.from({ length: scales }, (_, k) => make("li", { class: `scale-${k + 1}` }, `Scale ${k + 1}`));
    element("train-key", HTMLUListElement).replaceChildren(...(scales ? [...key, make("li", { class: "all" }, "All")] : []));
  }
}

/** @param {number} ms */
function minutes(ms) {
  if (ms < 1000) return "0 s";
  if (ms < 90_000) return `${Math.round(ms / 1000)} s`;
  return ms < 5_400_000 ? `${Math.round(ms / 60_000)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
}
