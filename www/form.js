// The options of one image: fills the fields from the model, reads them back, shows what is wrong beside them.

import { element } from "./stage.js";

/** @typedef {import("./protocol.js").ModelInfo} ModelInfo */
/** @typedef {import("./protocol.js").Aspect} Aspect */

const FIELDS = ["prompt", "aspect", "seed", "cfg", "tau"];

export class OptionsForm {
  #prompt = element("prompt", HTMLTextAreaElement);
  #seed = element("seed", HTMLInputElement);
  #cfg = element("cfg", HTMLInputElement);
  #tau = element("tau", HTMLInputElement);
  #aspects = element("aspects", HTMLElement);
  #alert = element("alert", HTMLElement);
  /** @type {ModelInfo | undefined} */
  #model;

  /** Called with the newly chosen shape. @type {(aspect: Aspect) => void} */
  onaspect = () => {};

  constructor() {
    for (const slider of [this.#cfg, this.#tau]) {
      slider.addEventListener("input", () => {
        slider.dataset.moved = "yes";
        this.#describe();
      });
    }
    element("dice", HTMLButtonElement).addEventListener("click", () => {
      this.#seed.value = String(crypto.getRandomValues(new Uint32Array(1))[0]);
      this.showError("seed", "");
    });
    for (const input of [this.#prompt, this.#seed]) {
      input.addEventListener("input", () => this.showError(input.id, ""));
    }
  }

  /** @param {ModelInfo} model */
  fill(model) {
    this.#model = model;
    const chosen = this.#aspect()?.name ?? "1:1";
    this.#aspects.replaceChildren(...inOrder(model.aspects).map((aspect) => this.#shape(aspect, chosen)));
    if (!this.#cfg.dataset.moved) this.#cfg.value = String(last(model.defaults.cfg));
    if (!this.#tau.dataset.moved) this.#tau.value = String(last(model.defaults.tau));
    element("examples", HTMLElement).replaceChildren(...model.examples.map((text) => this.#chip(text)));
    element("vocabulary", HTMLElement).hidden = model.words.length === 0;
    element("words", HTMLElement).textContent = model.words.join(", ");
    this.#describe();
  }

  /** @returns {import("./protocol.js").Options} */
  read() {
    const seed = this.#seed.value.trim();
    /** @type {import("./protocol.js").Options} */
    const options = {
      prompt: this.#prompt.value,
      seed: seed === "" ? NaN : Number(seed),
      aspect: this.#aspect()?.name ?? "1:1",
    };
    // The model's own values, which may differ from scale to scale, hold until a slider is moved.
    if (this.#cfg.dataset.moved) options.cfg = Number(this.#cfg.value);
    if (this.#tau.dataset.moved) options.tau = Number(this.#tau.value);
    return options;
  }

  /**
   * @param {string | null} field
   * @param {string} message empty to clear
   */
  showError(field, message) {
    if (field && FIELDS.includes(field)) {
      element(`${field}-error`, HTMLElement).textContent = message;
      const input = document.getElementById(field);
      if (message) input?.setAttribute("aria-invalid", "true");
      else input?.removeAttribute("aria-invalid");
      if (message) input?.focus();
      if (message) input?.closest("details")?.setAttribute("open", "");
    } else {
      this.#alert.textContent = message;
      this.#alert.hidden = message === "";
    }
  }

  clearErrors() {
    for (const field of [...FIELDS, null]) this.showError(field, "");
  }

  #aspect() {
    const name = this.#aspects.querySelector("input:checked")?.getAttribute("value");
    return this.#model?.aspects.find((aspect) => aspect.name === name);
  }

  #describe() {
    element("cfg-value", HTMLOutputElement).value = Number(this.#cfg.value).toFixed(1);
    element("tau-value", HTMLOutputElement).value = Number(this.#tau.value).toFixed(2);
    const aspect = this.#aspect();
    if (!aspect) return;
    element("aspect-value", HTMLOutputElement).value = `${aspect.name} · ${aspect.width} × ${aspect.height}`;
    this.onaspect(aspect);
  }

  /** @param {string} text */
  #chip(text) {
    const chip = document.createElement("button");
    chip.type = "button";
    chip.textContent = text;
    chip.addEventListener("click", () => {
      this.#prompt.value = text;
      this.showError("prompt", "");
      this.#prompt.focus();
    });
    return chip;
  }

  /**
   * @param {Aspect} aspect
   * @param {string} chosen
   */
  #shape(aspect, chosen) {
    const label = document.createElement("label");
    label.title = aspect.name;
    const input = document.createElement("input");
    input.type = "radio";
    input.name = "aspect";
    input.value = aspect.name;
    input.checked = aspect.name === chosen;
    input.setAttribute("aria-label", aspect.name.replace(":", " to "));
    input.addEventListener("change", () => this.#describe());
    const outline = document.createElement("span");
    outline.style.setProperty("--ratio", String(aspect.width / aspect.height));
    label.append(input, outline);
    return label;
  }
}

/**
 * From the widest to the tallest.
 * @param {Aspect[]} aspects
 */
function inOrder(aspects) {
  return [...aspects].sort((a, b) => b.width / b.height - a.width / a.height);
}

/**
 * The value that decides the fine scales.
 * @param {number | number[]} value
 */
function last(value) {
  return Array.isArray(value) ? (value.at(-1) ?? 1) : value;
}
