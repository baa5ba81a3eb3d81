// One image with all its scales, as far as they have arrived, and the pictures that can be made of it.

import { planes } from "./bits.js";

/** @typedef {import("./protocol.js").Scale} Scale */
/** @typedef {import("./protocol.js").Aspect} Aspect */
/** @typedef {"picture" | "residual" | "bits" | "original"} View */

export class Drawing {
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
   * @param {import("./protocol.js").Options | null} about.options
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
 * One scale of a drawing as its picture so far, as what it added to the picture, or as its bits; or what it was
 * read from.
 * @param {Drawing} drawing
 * @param {number} k from 1
 * @param {View} view
 */
export function render(drawing, k, view) {
  const scale = drawing.scales[k - 1];
  if (!scale) throw new Error(`scale ${k} was not drawn`);
  if (view === "original" && drawing.original) return drawing.original;
  if (view === "bits") return bitSheet(scale, drawing.bitsPerToken);
  return view === "residual" ? residual(scale, drawing.scales[k - 2]) : picture(scale);
}

/**
 * What a scale changed, around a middle gray.
 * @param {Scale} scale
 * @param {Scale | undefined} before
 */
function residual({ image }, before) {
  const pixels = new ImageData(image.width, image.height);
  const earlier = before?.image.rgba;
  image.rgba.forEach((level, i) => {
    pixels.data[i] = i % 4 === 3 ? 255 : 128 + level - (earlier?.[i] ?? 128);
  });
  return pixels;
}

const LIT = [236, 179, 64, 255];
const DARK = [42, 46, 68, 255];

/**
 * @param {Scale} scale
 * @param {number} d
 */
function bitSheet({ bits, height, width }, d) {
  const sheet = planes(bits, height, width, d);
  // Large enough that a canvas shows sharp cells at any size.
  const zoom = Math.max(1, Math.floor(1024 / Math.max(sheet.width, sheet.height)));
  const pixels = new ImageData(sheet.width * zoom, sheet.height * zoom);
  for (let y = 0; y < pixels.height; y++) {
    for (let x = 0; x < pixels.width; x++) {
      const cell = sheet.cells[Math.floor(y / zoom) * sheet.width + Math.floor(x / zoom)] ?? -1;
      if (cell >= 0) pixels.data.set(cell ? LIT : DARK, 4 * (y * pixels.width + x));
    }
  }
  return pixels;
}
