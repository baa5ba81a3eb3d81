// The bits of one scale closely: a map of its tokens in one bit plane, and all planes beside it. A click flips a bit.

import { bitAt } from "../image/bits.js";
import { element } from "../ui/dom.js";
import { paint, picture } from "../image/result.js";
import { bitBelow, planeSheet } from "./bit-planes.js";
import { countDiffering, percent } from "./difference.js";

/** @typedef {import("./rows.js").Step} Step */
/** @typedef {import("./rows.js").Before} Before */

/** Pixels of the map's longer side, about. */
const SIDE = 768;

export class TokenMap {
  #map = element("lab-map", HTMLCanvasElement);
  #planes = element("lab-planes", HTMLCanvasElement);
  #slider = element("lab-plane", HTMLInputElement);
  #said = element("lab-bits-said", HTMLElement);
  #title = element("lab-map-title", HTMLElement);
  /** @type {{ step: Step, before: Before, name: string } | undefined} */
  #close;
  #d = 1;
  #cursor = { x: 0, y: 0 };
  #flip;

  /** @param {(bit: import("../engine/protocol.js").BitAt) => void} flip called with the bit that is to be flipped */
  constructor(flip) {
    this.#flip = flip;
    this.#slider.addEventListener("input", () => this.#show());
    this.#map.addEventListener("click", (event) => {
      const { step } = this.#close ?? {};
      if (!step) return;
      const { x, y } = inside(this.#map, event);
      this.#cursor = { x: Math.floor(x * step.width), y: Math.floor(y * step.height) };
      this.#flipAt(this.#cursor.y * step.width + this.#cursor.x, this.#plane);
    });
    this.#planes.addEventListener("click", (event) => {
      const { step } = this.#close ?? {};
      const { x, y } = inside(this.#planes, event);
      const found = step && bitBelow(x, y, step, this.#d);
      if (!step || !found) return;
      this.#slider.value = String(found.bit + 1);
      this.#cursor = { x: found.token % step.width, y: Math.floor(found.token / step.width) };
      this.#flipAt(found.token, found.bit);
    });
    this.#map.addEventListener("keydown", (event) => this.#key(event));
    for (const name of ["focus", "blur"]) this.#map.addEventListener(name, () => this.#show());
  }

  /** @param {number} d bits of a token */
  fit(d) {
    this.#d = d;
    this.#slider.max = String(d);
    if (Number(this.#slider.value) > d) this.#slider.value = String(d);
    this.#show();
  }

  /** @param {{ step: Step, before: Before, row: { name: string } } | undefined} close */
  look(close) {
    this.#close = close && { ...close, name: close.row.name };
    if (close) {
      this.#cursor.x = Math.min(this.#cursor.x, close.step.width - 1);
      this.#cursor.y = Math.min(this.#cursor.y, close.step.height - 1);
    }
    this.#show();
  }

  /** From 0. */
  get #plane() {
    return Number(this.#slider.value) - 1;
  }

  /**
   * @param {number} token
   * @param {number} bit
   */
  #flipAt(token, bit) {
    if (this.#close) this.#flip({ scale: this.#close.step.k, token, bit });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { step } = this.#close ?? {};
    if (!step) return;
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const { x, y } = this.#cursor;
    if (move) {
      const [dx = 0, dy = 0] = move;
      this.#cursor = { x: clamp(x + dx, step.width), y: clamp(y + dy, step.height) };
    } else if (event.key === " " || event.key === "Enter") {
      this.#flipAt(y * step.width + x, this.#plane);
    } else {
      return;
    }
    event.preventDefault();
    this.#show();
    const at = this.#cursor;
    const bit = bitAt(step.bits, at.y * step.width + at.x, this.#plane, this.#d);
    if (move) this.#said.textContent = `Row ${at.y + 1}, column ${at.x + 1}: bit ${this.#plane + 1} is ${bit}.`;
  }

  #show() {
    element("lab-plane-value", HTMLOutputElement).value = `${this.#plane + 1} of ${this.#d}`;
    if (!this.#close) return;
    const { step, before, name } = this.#close;
    const { k, height, width, bits } = step;
    this.#title.textContent = `One bit at a time: scale ${k}, ${name.toLowerCase()}`;
    paint(this.#planes, planeSheet(step, before, this.#d, this.#plane));
    this.#paintMap(step, before);
    const total = height * width * this.#d;
    const flipped = before.mask.length ? countDiffering(before.mask, before.mask.map(() => 0)) : 0;
    const moved = countDiffering(bits, before.clean.length ? before.clean : bits);
    const others = answers(bits, before);
    this.#planes.setAttribute("aria-label", `All ${this.#d} bit planes of scale ${k}: ${moved} of ${total} bits differ`);
    const parts = [`${flipped} of ${total} bits flipped (${percent(flipped / total)})`];
    if (others > 0) parts.push(`${others} others differ (${percent(others / total)})`);
    this.#said.textContent = `Scale ${k}: ${parts.join(", ")}.`;
  }

  /**
   * @param {Step} step
   * @param {Before} before
   */
  #paintMap(step, { clean, mask }) {
    const { height, width, bits, image } = step;
    const size = Math.floor(SIDE / Math.max(width, height));
    const canvas = this.#map;
    canvas.width = width * size;
    canvas.height = height * size;
    const context = canvas.getContext("2d");
    if (!context) return;
    const behind = new OffscreenCanvas(image.width, image.height);
    behind.getContext("2d")?.putImageData(picture(step), 0, 0);
    context.imageSmoothingQuality = "high";
    context.drawImage(behind, 0, 0, canvas.width, canvas.height);
    const { color: flipped, accentColor: answer } = getComputedStyle(canvas);
    const line = Math.max(2, Math.min(10, size / 16));
    for (let token = 0; token < width * height; token++) {
      const [x, y] = [(token % width) * size, Math.floor(token / width) * size];
      /** @param {import("../engine/protocol.js").Words} words */
      const bit = (words) => bitAt(words, token, this.#plane, this.#d);
      context.fillStyle = bit(bits) ? "#ffffff8c" : "#0b0d1a94";
      context.fillRect(x + 1, y + 1, size - 2, size - 2);
      const color = bit(mask) ? flipped : bit(bits) !== bit(clean.length ? clean : bits) ? answer : undefined;
      if (!color) continue;
      context.strokeStyle = color;
      context.lineWidth = line;
      context.strokeRect(x + 1 + line / 2, y + 1 + line / 2, size - 2 - line, size - 2 - line);
    }
    if (!canvas.matches(":focus-visible")) return;
    context.lineWidth = line;
    context.strokeStyle = "#ffffff";
    const { x, y } = this.#cursor;
    context.setLineDash([2 * line, line]);
    context.strokeRect(x * size + line, y * size + line, size - 2 * line, size - 2 * line);
  }
}

/**
 * Bits that differ although nobody flipped them.
 * @param {import("../engine/protocol.js").Words} bits
 * @param {Before} before
 */
function answers(bits, { clean, mask }) {
  const own = bits.map((word, i) => (((word ^ (clean[i] ?? word)) & ~(mask[i] ?? 0)) >>> 0));
  return countDiffering(own, own.map(() => 0));
}

/**
 * @param {number} at
 * @param {number} count
 */
const clamp = (at, count) => Math.min(count - 1, Math.max(0, at));

/**
 * A pointer's place in parts of a canvas.
 * @param {HTMLCanvasElement} canvas
 * @param {MouseEvent} event
 */
function inside(canvas, event) {
  const box = canvas.getBoundingClientRect();
  const part = (/** @type {number} */ at, /** @type {number} */ size) => Math.min(0.9999, Math.max(0, at / size));
  return { x: part(event.clientX - box.left, box.width), y: part(event.clientY - box.top, box.height) };
}
