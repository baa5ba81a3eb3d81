// The images of a batch side by side over the frame; a click brings one of them up.

import { element, make } from "../ui/dom.js";
import { paint, picture } from "./result.js";

/** @typedef {import("./result.js").ImageResult} ImageResult */

export class BatchGrid {
  #grid = element("batch", HTMLElement);
  #again = element("batch-open", HTMLButtonElement);
  /** @type {HTMLButtonElement[]} */
  #cells = [];
  /** @type {ImageResult[]} */
  #results = [];
  #choose;

  /** @param {(result: ImageResult) => void} choose */
  constructor(choose) {
    this.#choose = choose;
    this.#again.addEventListener("click", () => this.show(true));
  }

  /** @param {number} images of the batch; nothing is shown of fewer than two */
  begin(images) {
    this.#results = [];
    this.#cells = Array.from({ length: images }, (_, i) => {
      const cell = make("button", { type: "button", disabled: true, "aria-label": `Image ${i + 1}, not drawn yet` }, make("canvas"));
      cell.addEventListener("click", () => {
        const result = this.#results[i];
        if (!result) return;
        this.show(false);
        this.#choose(result);
      });
      return cell;
    });
    this.#grid.replaceChildren(...this.#cells);
    this.show(images > 1);
  }

  /** @param {boolean} shown */
  show(shown) {
    this.#grid.hidden = !shown;
    this.#again.hidden = shown || this.#cells.length < 2;
  }

  get shown() {
    return !this.#grid.hidden;
  }

  /**
   * Image `i` has a scale more.
   * @param {number} i from 0
   * @param {ImageResult} result
   */
  grow(i, result) {
    const cell = this.#cells[i];
    const canvas = cell?.querySelector("canvas");
    const scale = result.scales.at(-1);
    if (!cell || !canvas || !scale) return;
    this.#results[i] = result;
    paint(canvas, picture(scale));
    cell.disabled = false;
    cell.setAttribute("aria-label", `Image ${i + 1}, ${result.title}, seed ${result.seed}, ${scale.k} of ${scale.of} scales`);
  }
}
