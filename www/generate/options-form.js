// The options of one image: fills the fields from the model, reads them back, shows what is wrong beside them.

import { PromptChips } from "./prompt-chips.js";
import { element, make } from "../ui/dom.js";
import { ScaleField } from "./scale-field.js";
import { SeedField } from "./seed-field.js";

/** @typedef {import("../engine/protocol.js").ModelInfo} ModelInfo */
/** @typedef {import("../engine/protocol.js").Aspect} Aspect */

const FIELDS = ["prompt", "aspect", "seed", "cfg", "tau", "topP"];

export class OptionsForm {
  #prompt = element("prompt", HTMLTextAreaElement);
  #cfg = new ScaleField("cfg");
  #tau = new ScaleField("tau");
  #topP = new ScaleField("topP");
  #aspects = element("aspects", HTMLElement);
  #alert = element("alert", HTMLElement);
  #chips = new PromptChips();
  /** @type {ModelInfo | undefined} */
  #model;

  seed = new SeedField();
  /** Called with the newly chosen shape. @type {(aspect: Aspect) => void} */
  onaspect = () => {};

  constructor() {
    for (const field of FIELDS) {
      const input = document.getElementById(field);
      for (const event of ["input", "rolled"]) input?.addEventListener(event, () => this.showError(field, ""));
    }
  }

  /** @param {ModelInfo} model */
  fill(model) {
    const chosen = this.aspect?.name ?? "1:1";
    this.#model = model;
    this.#aspects.replaceChildren(...inOrder(model.aspects).map((aspect) => this.#shape(aspect, chosen)));
    this.#cfg.suggest(model.defaults.cfg);
    this.#tau.suggest(model.defaults.tau);
    this.#topP.suggest(model.defaults.topP);
    this.#chips.fill(model);
    element("vocabulary", HTMLElement).hidden = model.words.length === 0;
    element("words", HTMLElement).textContent = model.words.join(", ");
    this.#describe();
  }

  /** How many images are to be drawn, one after the other. */
  get images() {
    return Number(document.querySelector("input[name=images]:checked")?.getAttribute("value") ?? 1);
  }

  /** @returns {import("../engine/protocol.js").Options} with the next seed */
  read() {
    const topP = this.#topP.value;
    return {
      prompt: this.#prompt.value,
      seed: this.seed.next(),
      aspect: this.aspect?.name ?? "1:1",
      ...listed("cfg", this.#cfg.value),
      ...listed("tau", this.#tau.value),
      ...(topP !== undefined && { topP: Number(topP) }),
    };
  }

  /** Shows the options of an earlier image. @param {import("../engine/protocol.js").Options} options */
  write({ prompt, seed, aspect, cfg, tau, topP }) {
    this.#prompt.value = prompt;
    this.seed.set(seed);
    this.choose(aspect);
    if (cfg !== undefined) this.#cfg.set(cfg);
    if (tau !== undefined) this.#tau.set(tau);
    if (topP !== undefined) this.#topP.set(topP);
    this.clearErrors();
  }

  /** @param {string} name of a shape */
  choose(name) {
    const input = this.#aspects.querySelector(`input[value="${CSS.escape(name)}"]`);
    if (input instanceof HTMLInputElement) input.checked = true;
    this.#describe();
  }

  get aspect() {
    const name = this.#aspects.querySelector("input:checked")?.getAttribute("value");
    return this.#model?.aspects.find((aspect) => aspect.name === name);
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
      if (message) input?.closest("details")?.setAttribute("open", "");
      if (message) input?.focus();
    } else {
      this.#alert.textContent = message;
      this.#alert.hidden = message === "";
    }
  }

  clearErrors() {
    for (const field of [...FIELDS, null]) this.showError(field, "");
  }

  #describe() {
    const { aspect } = this;
    if (!aspect) return;
    element("aspect-value", HTMLOutputElement).value = `${aspect.name} · ${aspect.width} × ${aspect.height}`;
    this.onaspect(aspect);
  }

  /**
   * @param {Aspect} aspect
   * @param {string} chosen
   */
  #shape({ name, width, height }, chosen) {
    const input = make("input", {
      type: "radio",
      name: "aspect",
      value: name,
      checked: name === chosen,
      "aria-label": name.replace(":", " to "),
    });
    input.addEventListener("change", () => this.#describe());
    const outline = make("span");
    outline.style.setProperty("--ratio", String(width / height));
    return make("label", { title: name }, input, outline);
  }
}

/**
 * @param {"cfg" | "tau"} name
 * @param {number | number[] | undefined} value
 */
function listed(name, value) {
  return value === undefined ? {} : { [name]: value };
}

/**
 * From the widest to the tallest.
 * @param {Aspect[]} aspects
 */
function inOrder(aspects) {
  return [...aspects].sort((a, b) => b.width / b.height - a.width / a.height);
}
