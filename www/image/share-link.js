// An image in a link: docs/share-format.md says what every byte is.

import { fromBytes, toBytes } from "./bits.js";

/** @typedef {import("../engine/protocol.js").ModelInfo} ModelInfo */

/**
 * @typedef {object} Shared
 * @property {string} aspect name of its shape
 * @property {import("../engine/protocol.js").Words[]} bits of every scale
 * @property {number | null} seed
 */

/** What an address's fragment with an image begins with. */
export const SHARED = "#i=";
const VERSION = 1;
const WITH_SEED = 1;
const HEAD = 9;
const CHECK = 4;
/** In the order of the format, which is for ever. */
const SHAPES = ["1:1", "4:5", "5:4", "3:4", "4:3", "2:3", "3:2", "4:7", "7:4", "1:2", "2:1", "2:5", "5:2", "1:3", "3:1"];

/** Why a link is not shown; a sentence for the visitor. */
export class ShareError extends Error {}

/**
 * @param {Shared} image
 * @param {ModelInfo} model that made it
 * @returns {string} for a URL's fragment
 */
export function encodeShare({ aspect, bits, seed }, model) {
  const shape = SHAPES.indexOf(aspect);
  if (shape < 0) throw new ShareError(`The shape ${aspect} has no number in links.`);
  const packed = toBytes(bits, model.bits);
  const seedBytes = seed === null ? 0 : 8;
  const bytes = new Uint8Array(HEAD + seedBytes + packed.length + CHECK);
  const view = new DataView(bytes.buffer);
  bytes.set([VERSION, seed === null ? 0 : WITH_SEED, shape, bits.length, model.bits]);
  view.setUint32(5, Number.parseInt(model.codec, 16), true);
  if (seed !== null) view.setBigUint64(HEAD, BigInt(seed), true);
  bytes.set(packed, HEAD + seedBytes);
  view.setUint32(bytes.length - CHECK, crc32(bytes.subarray(0, -CHECK)), true);
  return toBase64url(bytes);
}

/**
 * @param {string} text from a URL's fragment
 * @param {ModelInfo} model that is to decode it
 * @returns {Shared}
 * @throws {ShareError}
 */
export function decodeShare(text, model) {
  const bytes = fromBase64url(text);
  const view = new DataView(bytes.buffer);
  if (bytes.length < HEAD + CHECK) throw new ShareError("The link is cut off; copy all of it.");
  const [version, flags = 0, shape = 0, scales = 0, d = 0] = bytes;
  if (version !== VERSION) throw new ShareError(`The link is of version ${version}, which this page does not know; reload the page.`);
  if (view.getUint32(bytes.length - CHECK, true) !== crc32(bytes.subarray(0, -CHECK))) {
    throw new ShareError("The link was cut off or changed on its way; copy all of it.");
  }
  if (flags > WITH_SEED) throw new ShareError("The link says something that this page does not know; reload the page.");
  const name = SHAPES[shape];
  if (!name || scales < 1 || scales > 13 || d < 1 || d > 128) throw new ShareError("The link describes no possible image.");
  const codec = view.getUint32(5, true).toString(16).padStart(8, "0");
  const aspect = model.aspects.find((aspect) => aspect.name === name);
  if (codec !== model.codec || d !== model.bits || aspect?.scales.length !== scales) {
    throw new ShareError("The link was made by another model; open it with that model (Models, above).");
  }
  const tokens = aspect.scales.map(([height, width]) => height * width);
  const total = tokens.reduce((sum, count) => sum + count, 0) * d;
  const start = HEAD + (flags & WITH_SEED ? 8 : 0);
  const packed = bytes.subarray(start, -CHECK);
  if (bytes.length !== start + Math.ceil(total / 8) + CHECK) throw new ShareError("The link is of another length than its image.");
  if (total % 8 > 0 && (packed.at(-1) ?? 0) >> total % 8 !== 0) throw new ShareError("The link holds more bits than its image.");
  const seed = flags & WITH_SEED ? Number(view.getBigUint64(HEAD, true)) : null;
  if (seed !== null && !Number.isSafeInteger(seed)) throw new ShareError("The link's seed is out of range.");
  return { aspect: name, bits: fromBytes(packed, tokens, d), seed };
}

/** @param {Uint8Array} bytes */
function toBase64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * @param {string} text
 * @returns {Uint8Array<ArrayBuffer>}
 */
function fromBase64url(text) {
  if (!/^[\w-]+$/.test(text)) throw new ShareError("The link holds signs that do not belong there; copy all of it.");
  try {
    return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (sign) => sign.charCodeAt(0));
  } catch {
    throw new ShareError("The link is cut off; copy all of it.");
  }
}

/** The CRC-32 of PNG and zip. @param {Uint8Array} bytes */
function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let i = 0; i < 8; i++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
