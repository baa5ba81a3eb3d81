// A number for all scales on a slider, or one for each scale in the text beside it.

import { element } from "../ui/dom.js";

export class ScaleField {
  #slider;
  #text;
  #touched = false;

  /** @param {string} id of the text; its slider has `-slider` added */
  constructor(id) {
    this.#slider = element(`${id}-slider`, HTMLInputElement);
    this.#text = element(id, HTMLInputElement);
    this.#slider.addEventListener("input", () => {
      this.#touched = true;
      this.#text.value = this.#slider.value;
    });
    this.#text.addEventListener("input", () => {
      this.#touched = true;
      this.#follow();
    });
  }

  /** Shows the model's own value, unless the visitor has chosen another. @param {number | number[]} value */
  suggest(value) {
    if (!this.#touched) this.set(value, false);
  }

  /**
   * @param {number | number[]} value
   * @param {boolean} [chosen] whether it stays when another model is loaded
   */
  set(value, chosen = true) {
    this.#touched = chosen;
    this.#text.value = [value].flat().map((number) => Number(number.toFixed(4))).join(", ");
    this.#follow();
  }

  /**
   * What the visitor chose. The model's own values, which may differ from scale to scale, hold until then.
   * @returns {number | number[] | undefined}
   */
  get value() {
    if (!this.#touched) return undefined;
    const numbers = this.#text.value.split(/[\s,;]+/).filter(Boolean).map(Number);
    return numbers.length === 1 ? numbers[0] : numbers;
  }

  /** The slider stands at the last scale's value, which decides the details. */
  #follow() {
    const last = Number(this.#text.value.split(/[\s,;]+/).filter(Boolean).at(-1));
    if (Number.isFinite(last)) this.#slider.value = String(last);
  }
}
