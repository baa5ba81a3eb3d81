// Several files as one: a zip archive without compression, which weights would not gain from.

const LOCAL = 0x04034b50;
const ENTRY = 0x02014b50;
const END = 0x06054b50;
/** 1 January 1980, the first that the format knows: equal files make equal archives. */
const DATE = 0x21;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** @param {Uint8Array} bytes */
function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = (value >>> 8) ^ (TABLE[(value ^ byte) & 255] ?? 0);
  return ~value >>> 0;
}

/**
 * @param {{ name: string, bytes: Uint8Array<ArrayBuffer> }[]} files names in ASCII, fewer than 4 GB in all
 * @returns {Blob}
 */
export function zip(files) {
  /** @type {BlobPart[]} */
  const parts = [];
  /** @type {Uint8Array<ArrayBuffer>[]} */
  const entries = [];
  let offset = 0;
  for (const { name, bytes } of files) {
    const title = new TextEncoder().encode(name);
    // Version 2.0, no flags, stored, time and date, checksum, both sizes, lengths of the name and of nothing more.
    const about = (/** @type {DataView} */ view, /** @type {number} */ at) => {
      view.setUint16(at, 20, true);
      view.setUint16(at + 8, DATE, true);
      view.setUint32(at + 10, crc32(bytes), true);
      view.setUint32(at + 14, bytes.byteLength, true);
      view.setUint32(at + 18, bytes.byteLength, true);
      view.setUint16(at + 22, title.byteLength, true);
    };
    const local = record(30, LOCAL, title, (view) => about(view, 4));
    entries.push(
      record(46, ENTRY, title, (view) => {
        view.setUint16(4, 20, true);
        about(view, 6);
        view.setUint32(42, offset, true);
      }),
    );
    parts.push(local, bytes);
    offset += local.byteLength + bytes.byteLength;
  }
  const size = entries.reduce((sum, entry) => sum + entry.byteLength, 0);
  const end = record(22, END, new Uint8Array(), (view) => {
    view.setUint16(8, entries.length, true);
    view.setUint16(10, entries.length, true);
    view.setUint32(12, size, true);
    view.setUint32(16, offset, true);
  });
  return new Blob([...parts, ...entries, end], { type: "application/zip" });
}

/**
 * @param {number} length without the name
 * @param {number} signature
 * @param {Uint8Array} name
 * @param {(view: DataView) => void} fill
 */
function record(length, signature, name, fill) {
  const bytes = new Uint8Array(length + name.byteLength);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, signature, true);
  fill(view);
  bytes.set(name, length);
  return bytes;
}
