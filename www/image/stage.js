// The frame: one image large, in one of its views, or what covers it while there is none.

import { element } from "../ui/dom.js";
import { Filmstrip } from "./filmstrip.js";
import { paint, render } from "./drawing.js";

/** @typedef {import("./drawing.js").Drawing} Drawing */
/** @typedef {import("./drawing.js").View} View */

export class Stage {
  #canvas = element("canvas", HTMLCanvasElement);
  #veil = element("veil", HTMLElement);
  #veilText = element("veil-text", HTMLElement);
  #progress = element("progress", HTMLProgressElement);
  #bytes = element("bytes", HTMLElement);
  #strip = new Filmstrip((k) => {
    this.#following = k === this.drawing?.aspect.scales.length;
    this.show(k);
  });
  #following = true;
  /** @type {View} */
  #view = "picture";

  /** On the canvas and in the strip, once there is one. @type {Drawing | undefined} */
  drawing;
  /** The scale on the canvas, if any. */
  shown = 0;
  /** Called when another scale is shown. @type {(k: number) => void} */
  onshow = () => {};

  constructor() {
    for (const input of document.querySelectorAll("input[name=view]")) {
      input.addEventListener("change", () => {
        this.#view = /** @type {View} */ (input.getAttribute("value"));
        this.show(this.shown);
      });
    }
  }

  /**
   * What covers the empty frame. Once an image is there, it stays visible.
   * @param {string} text
   * @param {{ fraction?: number, detail?: string }} [loading] shows a bar; without a fraction an indefinite one
   */
  veil(text, loading) {
    this.#veil.hidden = this.drawing !== undefined && this.drawing.scales.length > 0;
    this.#veilText.textContent = text;
    this.#progress.classList.toggle("away", !loading);
    if (loading?.fraction === undefined) this.#progress.removeAttribute("value");
    else this.#progress.value = loading.fraction;
    this.#bytes.textContent = loading?.detail ?? "\u00a0";
  }

  /**
   * Empty frames for the scales to come, before anything was drawn.
   * @param {import("../engine/protocol.js").Aspect} aspect
   */
  expect(aspect) {
    if (!this.drawing) this.#strip.frames(aspect);
  }

  /** Puts a drawing up, with whatever scales it has. @param {Drawing} drawing */
  open(drawing) {
    this.drawing = drawing;
    this.#following = true;
    this.shown = 0;
    this.#canvas.hidden = true;
    const original = element("view-original", HTMLInputElement);
    original.disabled = drawing.original === null;
    if (original.disabled && original.checked) element("view-picture", HTMLInputElement).click();
    this.#strip.frames(drawing.aspect);
    this.veil("Drawing the first scale");
    for (const scale of drawing.scales) this.#strip.add(scale);
    this.show(drawing.scales.length);
  }

  /** The drawing has a scale more. */
  grow() {
    const scale = this.drawing?.scales.at(-1);
    if (!scale) return;
    this.#strip.add(scale);
    if (this.#following) this.show(scale.k);
  }

  /** @param {number} k the scale to put on the canvas, from 1 */
  show(k) {
    const { drawing } = this;
    if (!drawing?.scales[k - 1]) return;
    paint(this.#canvas, render(drawing, k, this.#view));
    this.#canvas.classList.toggle("cells", this.#view === "bits" || this.#view === "residual");
    this.#canvas.hidden = false;
    this.#veil.hidden = true;
    const what = { picture: "", residual: ", its residual in the latent, channel by channel", bits: ", its bits", original: ", the original" }[this.#view];
    this.#canvas.setAttribute("aria-label", `${drawing.title}, scale ${k} of ${drawing.aspect.scales.length}${what}`);
    this.shown = k;
    this.#strip.press(k);
    this.onshow(k);
  }

  /** Marks the first scales as kept. @param {number} scales */
  keep(scales) {
    this.#strip.keep(scales);
  }

  /** @returns {Promise<Blob | null>} what the canvas shows as a PNG */
  png() {
    return new Promise((resolve) => this.#canvas.toBlob(resolve, "image/png"));
  }
}
