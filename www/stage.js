// The image and its filmstrip: keeps every decoded scale, shows the newest or the one chosen.

import { duration } from "./format.js";

/** @typedef {import("./protocol.js").Scale} Scale */

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function element(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`index.html has no ${type.name} #${id}`);
  return found;
}

export class Stage {
  #canvas = element("canvas", HTMLCanvasElement);
  #veil = element("veil", HTMLElement);
  #veilText = element("veil-text", HTMLElement);
  #progress = element("progress", HTMLProgressElement);
  #bytes = element("bytes", HTMLElement);
  #strip = element("strip", HTMLOListElement);
  #prompt = "";
  #following = true;
  /** @type {Scale[]} */
  #scales = [];
  /** @type {HTMLButtonElement[]} */
  #buttons = [];

  /** The scale on the canvas, if any. */
  shown = 0;

  /**
   * What covers the empty frame. Once an image is there, it stays visible.
   * @param {string} text
   * @param {{ fraction?: number, detail?: string }} [loading] shows a bar; without a fraction an indefinite one
   */
  veil(text, loading) {
    this.#veil.hidden = this.#scales.length > 0;
    this.#veilText.textContent = text;
    this.#progress.classList.toggle("away", !loading);
    if (loading?.fraction === undefined) this.#progress.removeAttribute("value");
    else this.#progress.value = loading.fraction;
    this.#bytes.textContent = loading?.detail ?? "\u00a0";
  }

  /**
   * Empty frames for the scales to come, before anything was drawn.
   * @param {import("./protocol.js").Aspect} aspect
   */
  expect(aspect) {
    if (this.#scales.length === 0) this.#frames(aspect);
  }

  /** @param {import("./protocol.js").Started} started */
  begin({ aspect, prompt }) {
    this.#scales = [];
    this.#prompt = prompt;
    this.#following = true;
    this.shown = 0;
    this.#canvas.hidden = true;
    this.#frames(aspect);
    this.veil("Drawing the first scale");
    this.#veil.hidden = false;
  }

  /** @param {Scale} scale */
  add(scale) {
    this.#scales.push(scale);
    const button = this.#buttons[scale.k - 1];
    const thumbnail = button?.querySelector("canvas");
    const time = button?.querySelector(".ms");
    if (button && thumbnail && time) {
      paint(thumbnail, scale);
      time.textContent = duration(scale.ms);
      button.disabled = false;
      button.classList.add("arrived");
      button.setAttribute(
        "aria-label",
        `Scale ${scale.k} of ${scale.of}, ${scale.height} by ${scale.width} tokens, ${duration(scale.ms)}`,
      );
    }
    if (this.#following) this.show(scale.k);
  }

  /** @param {number} k the scale to put on the canvas, from 1 */
  show(k) {
    const scale = this.#scales[k - 1];
    if (!scale) return;
    paint(this.#canvas, scale);
    this.#canvas.hidden = false;
    this.#veil.hidden = true;
    this.#canvas.setAttribute("aria-label", `${this.#prompt}, scale ${k} of ${scale.of}`);
    this.shown = k;
    this.#buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === k - 1)));
  }

  /** @returns {Promise<Blob | null>} the shown image as a PNG */
  png() {
    return new Promise((resolve) => this.#canvas.toBlob(resolve, "image/png"));
  }

  /** @param {import("./protocol.js").Aspect} aspect */
  #frames({ scales, width, height }) {
    this.#buttons = scales.map(([h, w], i) => {
      const button = document.createElement("button");
      button.type = "button";
      button.disabled = true;
      button.setAttribute("aria-pressed", "false");
      button.setAttribute("aria-label", `Scale ${i + 1}, not drawn yet`);
      const picture = document.createElement("span");
      picture.className = "picture";
      picture.style.setProperty("--ratio", String(width / height));
      picture.append(document.createElement("canvas"));
      button.append(picture, caption("tokens", `${h}×${w}`), caption("ms", "\u00a0"));
      button.addEventListener("click", () => {
        this.#following = i + 1 === scales.length;
        this.show(i + 1);
      });
      return button;
    });
    this.#strip.replaceChildren(
      ...this.#buttons.map((button) => {
        const item = document.createElement("li");
        item.append(button);
        return item;
      }),
    );
  }
}

/**
 * @param {string} name
 * @param {string} text
 */
function caption(name, text) {
  const span = document.createElement("span");
  span.className = `${name} number`;
  span.textContent = text;
  return span;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Scale} scale
 */
function paint(canvas, { image }) {
  canvas.width = image.width;
  canvas.height = image.height;
  const pixels = new ImageData(new Uint8ClampedArray(image.rgba.buffer), image.width, image.height);
  canvas.getContext("2d")?.putImageData(pixels, 0, 0);
}
