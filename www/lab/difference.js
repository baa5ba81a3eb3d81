// How two results of a scale differ: in bits, and in pixels.

/** @typedef {import("../engine/protocol.js").Words} Words */
/** @typedef {import("./rows.js").Step} Step */

/** @param {number} part */
export function percent(part) {
  return `${(100 * part).toFixed(part < 0.0995 ? 1 : 0)} %`;
}

/**
 * @param {Words} a
 * @param {Words} b
 */
export function countDiffering(a, b) {
  let count = 0;
  a.forEach((word, i) => {
    for (let bits = (word ^ (b[i] ?? 0)) >>> 0; bits; bits &= bits - 1) count++;
  });
  return count;
}

/** @type {WeakMap<Uint8Array, [Uint8Array, number]>} */
const changes = new WeakMap();

/**
 * @param {Step} step
 * @param {Step} clean
 */
export function greatestChange(step, clean) {
  const known = changes.get(step.image.rgba);
  if (known?.[0] === clean.image.rgba) return known[1];
  let greatest = 0;
  step.image.rgba.forEach((level, i) => (greatest = Math.max(greatest, Math.abs(level - (clean.image.rgba[i] ?? level)))));
  changes.set(step.image.rgba, [clean.image.rgba, greatest]);
  return greatest;
}

/**
 * @param {Step} step
 * @param {Step} clean
 * @param {number} gain
 */
export function change({ image }, clean, gain) {
  const pixels = new ImageData(image.width, image.height);
  image.rgba.forEach((level, i) => {
    pixels.data[i] = i % 4 === 3 ? 255 : 128 + gain * (level - (clean.image.rgba[i] ?? level));
  });
  return pixels;
}
