// One image with all its scales, as far as they have arrived, and the pictures that can be made of it.

import { arrange, planes } from "./bits.js";

/** @typedef {import("../engine/protocol.js").Scale} Scale */
/** @typedef {import("../engine/protocol.js").Aspect} Aspect */
/** @typedef {"picture" | "residual" | "bits" | "original"} View */

export class ImageResult {
  /** @type {Scale[]} */
  scales = [];
  /** Likeness to the picture it was read from, after every scale, in decibels. @type {number[]} */
  psnr = [];
  /** What it was read from. @type {ImageData | null} */
  original = null;

  /**
   * @param {object} about
   * @param {"drawn" | "shared" | "read"} about.origin
   * @param {string} about.prompt
   * @param {number | null} about.seed
   * @param {Aspect} about.aspect
   * @param {number} about.bitsPerToken
   * @param {import("../engine/protocol.js").Options | null} about.options
   */
  constructor({ origin, prompt, seed, aspect, bitsPerToken, options }) {
    this.origin = origin;
    this.prompt = prompt;
    this.seed = seed;
    this.aspect = aspect;
    this.bitsPerToken = bitsPerToken;
    this.options = options;
  }

  get finished() {
    return this.scales.length === this.aspect.scales.length;
  }

  get bits() {
    return this.scales.map((scale) => scale.bits);
  }

  /** What the image shows, in a few words. */
  get title() {
    if (this.prompt) return this.prompt;
    return this.origin === "read" ? "An image read into tokens" : "A shared image";
  }
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {ImageData} image
 */
export function paint(canvas, image) {
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext("2d")?.putImageData(image, 0, 0);
}

/** @param {Pick<Scale, "image">} scale */
export function picture({ image }) {
  return new ImageData(new Uint8ClampedArray(image.rgba.buffer), image.width, image.height);
}

/**
 * One scale of a result as its picture so far, as the residual that it added to the latent, or as its bits; or what it was
 * read from.
 * @param {ImageResult} result
 * @param {number} k from 1
 * @param {View} view
 */
export function render(result, k, view) {
  const scale = result.scales[k - 1];
  if (!scale) throw new Error(`scale ${k} was not drawn`);
  if (view === "original" && result.original) return result.original;
  if (view === "residual") return residualSheet(scale);
  return view === "bits" ? bitSheet(scale, result.bitsPerToken) : picture(scale);
}

const LIT = [236, 179, 64];
const DARK = [42, 46, 68];

/** @param {Scale} scale @param {number} d */
function bitSheet({ bits, height, width }, d) {
  return colored(planes(bits, height, width, d));
}

/**
 * R_k in the size of the latent, channel by channel: between the colors of its bits, which it has where the scale is as fine as the
 * latent.
 * @param {Scale} scale
 */
function residualSheet({ residual: { height, width, levels } }) {
  const signed = new Int8Array(levels.buffer);
  const size = height * width;
  return colored(arrange(height, width, signed.length / size, (p, y, x) => ((signed[p * size + y * width + x] ?? 0) / 127 + 1) / 2));
}

/**
 * A sheet of cells from 0 to 1 as a picture.
 * @param {ReturnType<typeof arrange>} sheet
 */
function colored({ width, height, cells }) {
  // Large enough that a canvas shows sharp cells at any size.
  const zoom = Math.max(1, Math.floor(1024 / Math.max(width, height)));
  const pixels = new ImageData(width * zoom, height * zoom);
  // A cell has one color for all its pixels; gaps have none.
  const colors = Array.from(cells, (cell) => (cell < 0 ? null : [...DARK.map((dark, i) => dark + cell * ((LIT[i] ?? 0) - dark)), 255]));
  for (let y = 0; y < pixels.height; y++) {
    for (let x = 0; x < pixels.width; x++) {
      const color = colors[Math.floor(y / zoom) * width + Math.floor(x / zoom)];
      if (color) pixels.data.set(color, 4 * (y * pixels.width + x));
    }
  }
  return pixels;
}
