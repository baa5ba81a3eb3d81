// What the browser keeps of the Train panel between visits: settings, pictures, and the curve up to the newest checkpoint.

import { keptStep } from "../engine/worker/checkpoints.js";
import { DraftStore } from "./draft.js";

export class KeptTraining {
  #drafts = new DraftStore();
  #form;
  #pictures;
  #run;

  /** So many pictures outlive the page. */
  pictures = 0;

  /**
   * @param {import("./settings-form.js").SettingsForm} form
   * @param {import("./pictures.js").Pictures} pictures
   * @param {import("./run.js").TrainingRun} run
   */
  constructor(form, pictures, run) {
    this.#form = form;
    this.#pictures = pictures;
    this.#run = run;
  }

  /** Brings the last visit's back. @returns {Promise<number | undefined>} the step of its checkpoint, if one is kept */
  async restore() {
    const draft = await this.#drafts.load();
    if (!draft) return undefined;
    this.#form.settings = draft.settings;
    this.#pictures.list = draft.pictures;
    this.pictures = draft.pictures.length;
    const step = draft.open ? await keptStep() : undefined;
    this.#run.restore(step, draft.curve);
    return step;
  }

  /** Up to the checkpoint; what came after it will come again. */
  async save() {
    const { list } = this.#pictures;
    const open = this.#run.resumable;
    const kept = await this.#drafts.save({ settings: this.#form.settings, pictures: list, open, curve: open ? this.#run.curve : [] });
    this.pictures = kept ? list.length : 0;
    if (!kept && this.#run.open) this.#run.warn("it refuses the pictures", "until you leave the page");
  }

  async clear() {
    await this.#drafts.clear();
    this.pictures = 0;
    this.#run.forget();
  }
}
