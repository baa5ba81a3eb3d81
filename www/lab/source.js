// Where the image of the lab comes from: the visitor's file, the sample, or an example prompt. Each goes to the Draw panel first.

import { element } from "../ui/dom.js";

/**
 * What the lab asks of the page.
 * @typedef {object} Page
 * @property {(file: File) => void} open reads a picture into tokens, in the frame of the Draw panel
 * @property {(prompt: string) => void} generate generates an image there
 */

/** A composed scene, for whoever has no picture at hand, and what it shows. */
const SAMPLE = "sample.png";
const SAMPLE_SHOWS = "a guitar to the right of a horse in a desert";

export class ImageSource {
  #page;
  #example = element("lab-example", HTMLButtonElement);
  #sample = element("lab-sample", HTMLButtonElement);
  #file = element("lab-file", HTMLInputElement);
  #next = 0;

  /** Prompts of the loaded model. @type {string[]} */
  examples = [];
  /** Called with a sentence about what is wrong. @type {(message: string) => void} */
  onerror = () => {};

  /** @param {Page} page */
  constructor(page) {
    this.#page = page;
    this.#file.addEventListener("change", () => {
      const [chosen] = this.#file.files ?? [];
      if (chosen) page.open(chosen);
      this.#file.value = "";
    });
    this.#example.addEventListener("click", () => this.#generate());
    this.#sample.addEventListener("click", () => this.#open());
  }

  /** @param {boolean} ready */
  enable(ready) {
    for (const control of [this.#example, this.#sample, this.#file]) control.disabled = !ready;
  }

  #generate() {
    const prompt = this.examples[this.#next++ % Math.max(1, this.examples.length)] ?? "a red apple";
    element("lab-said", HTMLElement).textContent = `Drawing “${prompt}”.`;
    this.#page.generate(prompt);
  }

  async #open() {
    const response = await fetch(SAMPLE).catch(() => undefined);
    if (response?.ok) {
      this.#page.open(new File([await response.blob()], SAMPLE));
      element("lab-prompt", HTMLInputElement).value = SAMPLE_SHOWS;
    } else this.onerror("The sample could not be downloaded; check the connection and try again.");
  }
}
