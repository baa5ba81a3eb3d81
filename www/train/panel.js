// The Train panel: settings and pictures on one side, figures, curves and samples on the other.

import { EngineError, isCrash } from "../engine/error.js";
import { SPRITES } from "../engine/prefetch.js";
import { persist } from "../engine/storage.js";
import { element, save } from "../ui/dom.js";
import { count, sentence } from "../ui/format.js";
import { zip } from "../ui/zip.js";
import { KeptTraining } from "./kept.js";
import { Pictures } from "./pictures.js";
import { TrainingProgress } from "./progress.js";
import { TrainingRun } from "./run.js";
import { Samples } from "./samples.js";
import { SettingsError, SettingsForm } from "./settings-form.js";

/** @typedef {import("../engine/client.js").EngineClient} EngineClient */
/** @typedef {import("../engine/panel.js").Panel} Panel */

/**
 * What the panel asks of the page.
 * @typedef {object} Page
 * @property {(status: string) => void} say in the Draw panel
 * @property {(files: File[]) => void} use loads a model and goes on to the Draw panel with it
 */

/** @implements {Panel} */
export class TrainPanel {
  #session;
  #page;
  #form = new SettingsForm();
  #pictures = new Pictures();
  #samples = new Samples();
  #progress = new TrainingProgress(() => this.#form.batch);
  #start = element("train-start", HTMLButtonElement);
  #stop = element("train-stop", HTMLButtonElement);
  #alert = element("train-alert", HTMLElement);
  #status = element("train-status", HTMLElement);
  #run = new TrainingRun({
    status: (text) => (this.#status.textContent = text),
    warning: (text) => this.#alarm(text),
    progress: () => this.#progress.show(this.#run),
    sampled: (sampled) => this.#samples.add(sampled),
    begun: () => this.#samples.clear(),
    keep: () => this.#kept.save(),
  });
  #kept = new KeptTraining(this.#form, this.#pictures, this.#run);
  /** Settings and pictures of the last visit are here. @type {Promise<void>} */
  #restored;

  /**
   * @param {import("../engine/session.js").Session} session
   * @param {Page} page
   */
  constructor(session, page) {
    this.#session = session;
    this.#page = page;
    this.#form.onchange = () => this.#changed();
    this.#pictures.onchange = () => this.#changed();
    this.#pictures.onerror = (message) => this.#alarm(message);
    element("train-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#run.running) session.stop();
      else void this.#train();
    });
    this.#stop.addEventListener("click", () => this.#work((client) => this.#run.discard(client)));
    element("train-use", HTMLButtonElement).addEventListener("click", async () => {
      const files = await this.#pack();
      if (files) page.use(files.map(({ name, bytes }) => new File([bytes], name)));
    });
    element("train-save", HTMLButtonElement).addEventListener("click", async () => {
      const files = await this.#pack();
      if (files) save(zip(files), `${this.#name.toLowerCase().replace(/[^a-z0-9]+/g, "-")}.zip`);
    });
    // A tab that is left may not come back.
    document.addEventListener("visibilitychange", () => document.hidden && this.#run.leave());
    window.addEventListener("pagehide", () => this.#run.leave());
    this.#restored = this.#restore();
  }

  // The contract of panels.

  /** The model that is loaded, to be trained further. @param {import("../engine/protocol.js").ModelInfo} model */
  async fill(model) {
    await this.#restored;
    if (this.#run.changeEngine()) this.#status.textContent = "The training went with its engine; start another.";
    this.#progress.show(this.#run);
    this.#pictures.fit(model.aspects.find(({ name }) => name === "1:1")?.width ?? 0);
    this.#enable();
  }

  state() {
    this.#enable();
  }

  /** @param {boolean} visible */
  show(visible) {
    if (visible) this.#progress.show(this.#run);
  }

  stop() {
    this.#run.stop();
  }

  // What the browser keeps of a training.

  /** So many pictures outlive the page. */
  get kept() {
    return this.#kept.pictures;
  }

  /** Deletes what the browser kept of the training; what is on the page stays until it is left. */
  async forget() {
    await this.#kept.clear();
    this.#status.textContent = "What was kept of the training is deleted.";
    this.#progress.show(this.#run);
    this.#enable();
  }

  async #restore() {
    const step = await this.#kept.restore();
    if (step !== undefined) this.#status.textContent = `Kept from the last visit after step ${count(step)}.`;
    this.#enable();
    this.#progress.show(this.#run);
  }

  #changed() {
    this.#alarm("");
    this.#progress.show(this.#run);
    void this.#kept.save();
  }

  // What the buttons do.

  async #train() {
    this.#alarm("");
    const asked = this.#asked();
    if (!asked) return;
    persist();
    await this.#work(async (client) => {
      this.#run.running = true;
      this.#enable();
      await this.#run.train(client, asked);
    });
  }

  /** @returns {Promise<import("../engine/protocol.js").ModelFile[] | undefined>} none if that failed, which is shown */
  async #pack() {
    const asked = this.#asked();
    /** @type {import("../engine/protocol.js").ModelFile[] | undefined} */
    let files;
    if (asked) await this.#work(async (client) => (files = await this.#run.pack(client, asked, this.#name)));
    return files;
  }

  /** What the controls ask for; a mistake is shown. @returns {import("./run.js").Asked | undefined} */
  #asked() {
    try {
      const [config, schedule] = [this.#form.config(), this.#form.schedule()];
      if (this.#form.what === "scratch") return { config, schedule, data: { part: this.#form.part(), drawings: SPRITES } };
      const { list } = this.#pictures;
      if (list.length === 0) throw new SettingsError("Add the pictures to learn first.");
      if (list.some(({ caption }) => !caption.trim())) throw new SettingsError("Give every picture a caption; it is the prompt that brings it back.");
      return { config, schedule, data: this.#pictures.data() };
    } catch (error) {
      this.#alarm(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  /**
   * Lets the engine work for the training. Its errors are shown here; a dead engine is the session's to replace.
   * @param {(client: EngineClient) => Promise<unknown>} act
   */
  async #work(act) {
    await this.#session.run(async (client) => {
      this.#page.say("The engine is training; Stop pauses it.");
      try {
        await act(client);
      } catch (error) {
        if (isCrash(error) || (error instanceof EngineError && error.code === "disposed")) {
          this.#alarm(this.#run.resumable ? "The engine stopped; Resume goes on from the last checkpoint." : "The engine stopped; start again.");
          throw error;
        }
        this.#run.fail();
        this.#status.textContent = "";
        this.#alarm(sentence(error instanceof Error ? error.message : String(error)));
      } finally {
        this.#run.running = false;
        this.#progress.show(this.#run);
      }
      this.#page.say("Ready.");
    });
    this.#enable();
  }

  get #name() {
    return element("train-name", HTMLInputElement).value.trim() || "My model";
  }

  /** @param {string} message empty to clear */
  #alarm(message) {
    this.#alert.textContent = message;
    this.#alert.hidden = message === "";
  }

  #enable() {
    const ready = this.#session.state === "idle";
    const { open, running } = this.#run;
    this.#start.textContent = running ? "Pause" : open ? "Resume" : "Start";
    this.#start.disabled = !ready && !running;
    this.#stop.disabled = !open && !running;
    this.#form.lock({ begun: open || running, running });
    this.#pictures.lock(open || running);
    for (const id of ["train-use", "train-save"]) element(id, HTMLButtonElement).disabled = !(ready && this.#run.learned);
  }
}
