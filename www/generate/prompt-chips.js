// Little buttons below the prompt: examples, and parts of prompts whose words the model knows.

import { element, make } from "../ui/dom.js";
import { parts, surprise, withBackdrop, withColor, withPlace, withStyle } from "./prompt-words.js";

/** @typedef {import("../engine/protocol.js").ModelInfo} ModelInfo */

export class PromptChips {
  #prompt = element("prompt", HTMLTextAreaElement);
  /** @type {ModelInfo | undefined} */
  #model;

  constructor() {
    element("surprise", HTMLButtonElement).addEventListener("click", () => {
      if (this.#model) this.#write(surprise(this.#model.examples, this.#model.words, Math.random));
    });
  }

  /** @param {ModelInfo} model */
  fill(model) {
    this.#model = model;
    const { colors, backdrops, places, styles } = parts(model.words);
    element("surprise", HTMLButtonElement).hidden = model.examples.length === 0;
    this.#row("examples", model.examples.map((text) => chip(text, () => this.#write(text))));
    this.#row("colors", colors.map((color) => swatch(color, "", () => this.#change((text) => withColor(text, color[0])))));
    this.#row(
      "backdrops",
      backdrops.map((color) => swatch(color, " background", () => this.#change((text) => withBackdrop(text, color[0])))),
    );
    this.#row("places", places.map((place) => chip(place, () => this.#change((text) => withPlace(text, place)))));
    this.#row("styles", styles.map((style) => chip(style, () => this.#change((text) => withStyle(text, style)))));
  }

  /**
   * @param {string} id
   * @param {HTMLElement[]} chips
   */
  #row(id, chips) {
    const row = element(id, HTMLElement);
    row.replaceChildren(...chips);
    const box = row.closest(".palette");
    if (box instanceof HTMLElement) box.hidden = chips.length === 0;
  }

  /** @param {(text: string) => string} change */
  #change(change) {
    this.#write(change(this.#prompt.value));
  }

  /** @param {string} text */
  #write(text) {
    this.#prompt.value = text;
    this.#prompt.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

/**
 * @param {string} text
 * @param {() => void} act
 */
function chip(text, act) {
  const button = make("button", { type: "button" }, text);
  button.addEventListener("click", act);
  return button;
}

/**
 * @param {import("./prompt-words.js").Color} color
 * @param {string} what follows the color's name
 * @param {() => void} act
 */
function swatch([name, css], what, act) {
  const button = make("button", { type: "button", class: "swatch", title: name + what, "aria-label": name + what });
  button.style.setProperty("--swatch", css);
  button.addEventListener("click", act);
  return button;
}
