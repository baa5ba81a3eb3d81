// The edit controls: which first scales, and which tokens outside of a painted mask, the next image keeps of the shown one.

import { element } from "../ui/dom.js";
import { MaskPainter } from "./mask-painter.js";

/** @typedef {import("../image/result.js").ImageResult} ImageResult */

export class EditControls {
  #mask = new MaskPainter();
  #paint = element("mask-paint", HTMLInputElement);
  #slider = element("keep-scales", HTMLInputElement);
  #line = element("edit-summary", HTMLElement);
  #edit = element("edit-tools", HTMLFieldSetElement);
  /** @type {ImageResult | undefined} */
  #base;

  /** So many first scales. */
  scales = 0;
  /** Called when what is kept has changed. */
  onchange = () => {};

  constructor() {
    this.#slider.addEventListener("input", () => this.keep(Number(this.#slider.value)));
    this.#paint.addEventListener("change", () => this.#mask.show(this.#paint.checked));
    this.#mask.onchange = () => this.#tell();
    const brush = element("brush", HTMLInputElement);
    brush.addEventListener("input", () => (this.#mask.radius = Number(brush.value)));
    element("mask-clear", HTMLButtonElement).addEventListener("click", () => this.#mask.clear());
    element("release", HTMLButtonElement).addEventListener("click", () => this.release());
  }

  /**
   * Offers a finished result to keep from. What is kept already stays if the result was made with it.
   * @param {ImageResult} result
   * @param {boolean} follows whether it was drawn from what is kept
   */
  offer(result, follows) {
    if (!follows || result.aspect.name !== this.#base?.aspect.name) this.release();
    this.#base = result;
    this.#edit.disabled = false;
    const { scales } = result.aspect;
    const finest = scales.at(-1);
    if (finest) this.#mask.fit(finest);
    // With the last scale kept as well there would be nothing to draw.
    this.#slider.max = String(scales.length - 1);
    this.#tell();
  }

  /** @param {number} scales */
  keep(scales) {
    this.scales = scales;
    this.#tell();
  }

  release() {
    this.scales = 0;
    this.#mask.clear();
    this.#paint.checked = false;
    this.#mask.show(false);
    this.#tell();
  }

  /** For another shape nothing can be kept. @param {string} aspect name of the shape */
  shape(aspect) {
    if (this.#base && this.#base.aspect.name !== aspect) this.release();
  }

  /**
   * @param {string} aspect of the image to draw
   * @returns {import("../engine/protocol.js").Keep | undefined}
   */
  options(aspect) {
    const { cells } = this.#mask;
    if (!this.#base || this.#base.aspect.name !== aspect || (this.scales === 0 && !cells)) return undefined;
    const bits = this.#base.bits;
    return { bits: cells ? bits : bits.slice(0, this.scales), scales: this.scales, ...(cells && { mask: cells }) };
  }

  #tell() {
    const of = this.#base?.aspect.scales.length ?? 0;
    const { painted } = this.#mask;
    this.#slider.value = String(this.scales);
    element("keep-value", HTMLOutputElement).value = this.scales === 0 ? "none" : `${this.scales} of ${of}`;
    const first = { 0: "", 1: "Keeps scale 1" }[this.scales] ?? `Keeps scales 1–${this.scales}`;
    const cells = painted ? `${first ? " and redraws" : "Redraws"} the ${painted} painted cells` : "";
    element("edit-summary-text", HTMLElement).textContent = first + cells;
    this.#line.hidden = !first && !cells;
    this.onchange();
  }
}
