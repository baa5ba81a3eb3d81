// The growth of an image as a short film, recorded from a canvas while it plays out of sight.

import { picture } from "./result.js";

/** Milliseconds that a scale stands, that the next one takes to show through, and that the last one stands. */
const STAND = 350;
const FADE = 250;
const END = 1400;
const FRAMES = 30;
/** The shorter side is at least this long, since small films look bad in most players. */
const SIDE = 512;

/** What this browser can record. */
export function movieType() {
  const types = ["video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/webm", "video/mp4"];
  return typeof MediaRecorder === "undefined" ? undefined : types.find((type) => MediaRecorder.isTypeSupported(type));
}

/**
 * @param {import("./result.js").ImageResult} result
 * @param {string} type of `movieType`
 * @param {(fraction: number) => void} progress
 * @returns {Promise<Blob>}
 */
export async function record(result, type, progress) {
  const stills = await Promise.all(result.scales.map((scale) => createImageBitmap(picture(scale))));
  const { width, height } = result.aspect;
  const zoom = Math.max(1, Math.ceil(SIDE / Math.min(width, height)));
  const canvas = document.createElement("canvas");
  canvas.width = width * zoom;
  canvas.height = height * zoom;
  const context = canvas.getContext("2d");
  if (!context) throw new Error("the browser gives no canvas");
  const recorder = new MediaRecorder(canvas.captureStream(FRAMES), { mimeType: type, videoBitsPerSecond: 6_000_000 });
  /** @type {Blob[]} */
  const chunks = [];
  recorder.ondataavailable = (event) => chunks.push(event.data);
  const stopped = new Promise((resolve) => (recorder.onstop = resolve));
  recorder.start();
  const length = stills.length * (STAND + FADE) + END;
  const began = performance.now();
  for (let time = 0; time < length; time = performance.now() - began) {
    const at = Math.min(stills.length - 1, Math.floor(time / (STAND + FADE)));
    const fade = Math.min(1, Math.max(0, (time - at * (STAND + FADE) - STAND) / FADE));
    still(context, stills[at], 1);
    if (stills[at + 1] && fade > 0) still(context, stills[at + 1], fade);
    progress(time / length);
    await new Promise((resolve) => setTimeout(resolve, 1000 / FRAMES));
  }
  recorder.stop();
  await stopped;
  for (const bitmap of stills) bitmap.close();
  return new Blob(chunks, { type });
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {ImageBitmap | undefined} bitmap
 * @param {number} alpha
 */
function still(context, bitmap, alpha) {
  if (!bitmap) return;
  context.globalAlpha = alpha;
  context.drawImage(bitmap, 0, 0, context.canvas.width, context.canvas.height);
  context.globalAlpha = 1;
}
