// The frame: one image large, in one of its views, or what covers it while there is none.

import { element } from "../ui/dom.js";
import { Filmstrip } from "./filmstrip.js";
import { paint, render } from "./result.js";

/** @typedef {import("./result.js").ImageResult} ImageResult */
/** @typedef {import("./result.js").View} View */

export class ImageFrame {
  #canvas = element("canvas", HTMLCanvasElement);
  #cover = element("cover", HTMLElement);
  #coverText = element("cover-text", HTMLElement);
  #progress = element("progress", HTMLProgressElement);
  #bytes = element("bytes", HTMLElement);
  #strip = new Filmstrip((k) => {
    this.#following = k === this.result?.aspect.scales.length;
    this.show(k);
  });
  #following = true;
  /** @type {View} */
  #view = "picture";

  /** On the canvas and in the strip, once there is one. @type {ImageResult | undefined} */
  result;
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
  cover(text, loading) {
    this.#cover.hidden = this.result !== undefined && this.result.scales.length > 0;
    this.#coverText.textContent = text;
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
    if (!this.result) this.#strip.frames(aspect);
  }

  /** Puts a result up, with whatever scales it has. @param {ImageResult} result */
  open(result) {
    this.result = result;
    this.#following = true;
    this.shown = 0;
    this.#canvas.hidden = true;
    const original = element("view-original", HTMLInputElement);
    original.disabled = result.original === null;
    if (original.disabled && original.checked) element("view-picture", HTMLInputElement).click();
    this.#strip.frames(result.aspect);
    this.cover("Drawing the first scale");
    for (const scale of result.scales) this.#strip.add(scale);
    this.show(result.scales.length);
  }

  /** The result has a scale more. */
  grow() {
    const scale = this.result?.scales.at(-1);
    if (!scale) return;
    this.#strip.add(scale);
    if (this.#following) this.show(scale.k);
  }

  /** @param {number} k the scale to put on the canvas, from 1 */
  show(k) {
    const { result } = this;
    if (!result?.scales[k - 1]) return;
    paint(this.#canvas, render(result, k, this.#view));
    this.#canvas.classList.toggle("cells", this.#view === "bits" || this.#view === "residual");
    this.#canvas.hidden = false;
    this.#cover.hidden = true;
    const what = { picture: "", residual: ", its residual in the latent, channel by channel", bits: ", its bits", original: ", the original" }[this.#view];
    this.#canvas.setAttribute("aria-label", `${result.title}, scale ${k} of ${result.aspect.scales.length}${what}`);
    this.shown = k;
    this.#strip.press(k);
    this.onshow(k);
  }

  /** Marks the first scales as kept. @param {number} scales */
  markKept(scales) {
    this.#strip.markKept(scales);
  }

  /** @returns {Promise<Blob | null>} what the canvas shows as a PNG */
  png() {
    return new Promise((resolve) => this.#canvas.toBlob(resolve, "image/png"));
  }
}
