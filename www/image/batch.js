// Four images side by side over the frame; a click brings one of them up.

import { element, make } from "../ui/dom.js";
import { paint, picture } from "./drawing.js";

/** @typedef {import("./drawing.js").Drawing} Drawing */

export class Sheet {
  #sheet = element("sheet", HTMLElement);
  #again = element("sheet-open", HTMLButtonElement);
  /** @type {HTMLButtonElement[]} */
  #cells = [];
  /** @type {Drawing[]} */
  #drawings = [];
  #choose;

  /** @param {(drawing: Drawing) => void} choose */
  constructor(choose) {
    this.#choose = choose;
    this.#again.addEventListener("click", () => this.show(true));
  }

  /** @param {number} images of the batch; nothing is shown of fewer than two */
  begin(images) {
    this.#drawings = [];
    this.#cells = Array.from({ length: images }, (_, i) => {
      const cell = make("button", { type: "button", disabled: true, "aria-label": `Image ${i + 1}, not drawn yet` }, make("canvas"));
      cell.addEventListener("click", () => {
        const drawing = this.#drawings[i];
        if (!drawing) return;
        this.show(false);
        this.#choose(drawing);
      });
      return cell;
    });
    this.#sheet.replaceChildren(...this.#cells);
    this.show(images > 1);
  }

  /** @param {boolean} shown */
  show(shown) {
    this.#sheet.hidden = !shown;
    this.#again.hidden = shown || this.#cells.length < 2;
  }

  get shown() {
    return !this.#sheet.hidden;
  }

  /**
   * Image `i` has a scale more.
   * @param {number} i from 0
   * @param {Drawing} drawing
   */
  grow(i, drawing) {
    const cell = this.#cells[i];
    const canvas = cell?.querySelector("canvas");
    const scale = drawing.scales.at(-1);
    if (!cell || !canvas || !scale) return;
    this.#drawings[i] = drawing;
    paint(canvas, picture(scale));
    cell.disabled = false;
    cell.setAttribute("aria-label", `Image ${i + 1}, ${drawing.title}, seed ${drawing.seed}, ${scale.k} of ${scale.of} scales`);
  }
}
