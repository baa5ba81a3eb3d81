// Several files as one and back: zip archives. Ours are without compression, which weights would not gain from.

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

/** The end of an archive is at most this long, its comment included. */
const TAIL = 22 + 0xffff;
const STORED = 0;
const DEFLATED = 8;

/**
 * The files of an archive by their names, without those of folders; a stored one is read only when it is asked for.
 * @param {Blob} archive
 * @returns {Promise<Map<string, Blob>>}
 * @throws {Error} a sentence for the visitor
 */
export async function unzip(archive) {
  const broken = new Error("The archive is cut off or none; download it again.");
  const from = Math.max(0, archive.size - TAIL);
  const tail = await viewOf(archive.slice(from));
  let at = tail.byteLength - 22;
  while (at >= 0 && tail.getUint32(at, true) !== END) at--;
  if (at < 0) throw broken;
  const entries = await viewOf(archive.slice(tail.getUint32(at + 16, true), tail.getUint32(at + 16, true) + tail.getUint32(at + 12, true)));
  /** @type {Map<string, Blob>} */
  const files = new Map();
  try {
    for (let at = 0; at < entries.byteLength; ) {
      if (entries.getUint32(at, true) !== ENTRY) throw broken;
      const [method, packed] = [entries.getUint16(at + 10, true), entries.getUint32(at + 20, true)];
      const [title, extra, comment] = [28, 30, 32].map((field) => entries.getUint16(at + field, true));
      const name = new TextDecoder().decode(new Uint8Array(entries.buffer, at + 46, title));
      const local = entries.getUint32(at + 42, true);
      // The local header may have another extra field than the entry.
      const head = await viewOf(archive.slice(local, local + 30));
      const start = local + 30 + head.getUint16(26, true) + head.getUint16(28, true);
      if (!name.endsWith("/")) files.set(name, await plain(archive.slice(start, start + packed), method, name));
      at += 46 + (title ?? 0) + (extra ?? 0) + (comment ?? 0);
    }
  } catch (error) {
    throw error instanceof RangeError ? broken : error;
  }
  return files;
}

/**
 * @param {Blob} blob
 * @param {number} method
 * @param {string} name
 */
async function plain(blob, method, name) {
  if (method === STORED) return blob;
  if (method !== DEFLATED) throw new Error(`${name} is packed in a way that the browser cannot read; unpack the archive and choose its files.`);
  return new Response(blob.stream().pipeThrough(new DecompressionStream("deflate-raw"))).blob();
}

/** @param {Blob} blob */
async function viewOf(blob) {
  return new DataView(await blob.arrayBuffer());
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
