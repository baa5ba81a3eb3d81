// The settings of a training: what is trained, which stays the same for all its steps, and how, which may change in a pause.

import { element } from "../ui/dom.js";

/** @typedef {{ what: "pictures" | "scratch", part: string, width: string, depth: string, batch: string, seed: string, rate: string, flips: string, steps: string, every: string }} Settings */

/** A sentence about a setting with which nothing can be trained. */
export class SettingsError extends Error {}

/** Steps between two checkpoints. */
const SAVE_EVERY = 50;
const USUAL_BATCH = 4;

export class SettingsForm {
  #config = element("train-config", HTMLFieldSetElement);
  #schedule = element("train-schedule", HTMLFieldSetElement);
  #rate = element("train-rate", HTMLInputElement);
  #flips = element("train-flips", HTMLInputElement);
  #fields = {
    part: element("train-part", HTMLInputElement),
    width: element("train-width", HTMLSelectElement),
    depth: element("train-depth", HTMLSelectElement),
    batch: element("train-batch", HTMLInputElement),
    seed: element("train-seed", HTMLInputElement),
    rate: this.#rate,
    flips: this.#flips,
    steps: element("train-steps", HTMLInputElement),
    every: element("train-every", HTMLInputElement),
  };

  /** Called when a setting has changed. */
  onchange = () => {};

  constructor() {
    element("train-form", HTMLFormElement).addEventListener("input", () => {
      this.#tell();
      this.onchange();
    });
    this.#tell();
  }

  /** @returns {Settings["what"]} */
  get what() {
    const checked = document.querySelector("input[name=train-what]:checked");
    return checked?.getAttribute("value") === "scratch" ? "scratch" : "pictures";
  }

  /** @returns {Settings} */
  get settings() {
    const { part, width, depth, batch, seed, rate, flips, steps, every } = this.#fields;
    return {
      what: this.what,
      part: part.value,
      width: width.value,
      depth: depth.value,
      batch: batch.value,
      seed: seed.value,
      rate: rate.value,
      flips: flips.value,
      steps: steps.value,
      every: every.value,
    };
  }

  set settings({ what, ...values }) {
    for (const input of document.querySelectorAll("input[name=train-what]")) {
      if (input instanceof HTMLInputElement) input.checked = input.value === what;
    }
    for (const [name, field] of Object.entries(this.#fields)) {
      const value = values[/** @type {keyof typeof values} */ (name)];
      if (value !== undefined) field.value = value;
    }
    this.#tell();
  }

  /**
   * What stays the same once a training is begun cannot be changed then, the rest cannot while it runs.
   * @param {{ begun: boolean, running: boolean }} state
   */
  lock({ begun, running }) {
    this.#config.disabled = begun;
    this.#schedule.disabled = running;
  }

  /** Pictures of a step; the usual number while what stands there is none. */
  get batch() {
    const value = Number(this.#fields.batch.value);
    return Number.isSafeInteger(value) && value >= 1 ? value : USUAL_BATCH;
  }

  /** @returns {import("../engine/protocol.js").TrainConfig} */
  config() {
    const { width, depth } = this.#fields;
    return {
      ...(this.what === "scratch" && { fresh: { width: Number(width.value), depth: Number(depth.value) } }),
      batch: this.#whole("batch", "The batch", 1),
      seed: this.#whole("seed", "The seed", 0),
    };
  }

  /** The part of the composed data set, as the engine names it. */
  part() {
    const objects = this.#fields.part.value.split(",").map((word) => word.trim().toLowerCase()).filter(Boolean);
    if (objects.length < 2) throw new SettingsError("Name two objects or more, with commas between.");
    return `emoji:flat,single,plain,still,${objects.join(",")}`;
  }

  /** @returns {import("../engine/protocol.js").TrainSchedule} */
  schedule() {
    return {
      learningRate: this.#learningRate,
      flips: Number(this.#flips.value) / 100,
      steps: this.#whole("steps", "The number of steps", 1),
      sampleEvery: this.#whole("every", "The interval of the samples", 1),
      saveEvery: SAVE_EVERY,
    };
  }

  /** Two digits, as it is shown. */
  get #learningRate() {
    return Number((10 ** Number(this.#rate.value)).toPrecision(2));
  }

  /**
   * @param {"batch" | "seed" | "steps" | "every"} name
   * @param {string} title
   * @param {number} least
   */
  #whole(name, title, least) {
    const field = this.#fields[name];
    const value = field.value.trim() === "" ? NaN : Number(field.value);
    const right = Number.isSafeInteger(value) && value >= least;
    if (right) field.removeAttribute("aria-invalid");
    else field.setAttribute("aria-invalid", "true");
    if (!right) throw new SettingsError(`${title} is a whole number from ${least} on.`);
    return value;
  }

  #tell() {
    element("train", HTMLElement).dataset.what = this.what;
    element("train-rate-value", HTMLOutputElement).value = this.#learningRate.toPrecision(2);
    element("train-flips-value", HTMLOutputElement).value = `${this.#flips.value} %`;
  }
}
