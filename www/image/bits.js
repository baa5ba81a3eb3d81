// The bits of an image: packed words to bytes and back, and to pictures of single bits.

/** @typedef {import("../engine/protocol.js").Words} Words */

const WORD = 32;

/**
 * One bit of a token.
 * @param {Words} words
 * @param {number} token
 * @param {number} p
 * @param {number} d
 */
export function bitAt(words, token, p, d) {
  const word = words[token * Math.ceil(d / WORD) + Math.floor(p / WORD)] ?? 0;
  return (word >>> (p % WORD)) & 1;
}

/**
 * All bits without gaps, eight to a byte from the lowest up: scale after scale, token after token.
 * @param {Words[]} scales
 * @param {number} d
 */
export function toBytes(scales, d) {
  const perToken = Math.ceil(d / WORD);
  const total = scales.reduce((sum, words) => sum + (words.length / perToken) * d, 0);
  const bytes = new Uint8Array(Math.ceil(total / 8));
  let at = 0;
  for (const words of scales) {
    for (let token = 0; token < words.length / perToken; token++) {
      for (let p = 0; p < d; p++, at++) {
        if (bitAt(words, token, p, d)) bytes[at >> 3] = (bytes[at >> 3] ?? 0) | (1 << (at & 7));
      }
    }
  }
  return bytes;
}

/**
 * Inverse of `toBytes`.
 * @param {Uint8Array} bytes
 * @param {number[]} tokens of every scale
 * @param {number} d
 * @returns {Words[]}
 */
export function fromBytes(bytes, tokens, d) {
  const perToken = Math.ceil(d / WORD);
  let at = 0;
  return tokens.map((count) => {
    const words = new Array(count * perToken).fill(0);
    for (let token = 0; token < count; token++) {
      for (let p = 0; p < d; p++, at++) {
        const bit = ((bytes[at >> 3] ?? 0) >> (at & 7)) & 1;
        const word = token * perToken + Math.floor(p / WORD);
        if (bit) words[word] = (words[word] | (1 << (p % WORD))) >>> 0;
      }
    }
    return words;
  });
}

/**
 * `d` planes side by side as one sheet of cells: `columns` planes a row, one empty cell between them, which is -1.
 * @param {number} height of a plane
 * @param {number} width of a plane
 * @param {number} d
 * @param {(p: number, y: number, x: number) => number} value of plane `p`, from 0 to 1
 */
export function arrange(height, width, d, value) {
  const columns = Math.max(1, Math.round(Math.sqrt((d * (height + 1)) / (width + 1))));
  const rows = Math.ceil(d / columns);
  const size = { width: columns * (width + 1) - 1, height: rows * (height + 1) - 1 };
  const cells = new Float32Array(size.width * size.height).fill(-1);
  for (let p = 0; p < d; p++) {
    const [left, top] = [(p % columns) * (width + 1), Math.floor(p / columns) * (height + 1)];
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) cells[(top + y) * size.width + left + x] = value(p, y, x);
    }
  }
  return { ...size, cells };
}

/**
 * The `d` bit planes of one scale, as level 0 or 1 of a sheet.
 * @param {Words} words
 * @param {number} height in tokens
 * @param {number} width in tokens
 * @param {number} d
 */
export function planes(words, height, width, d) {
  return arrange(height, width, d, (p, y, x) => bitAt(words, y * width + x, p, d));
}
