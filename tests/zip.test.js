// Archives: what is packed comes out again, so do archives of others, and broken ones are refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { unzip, zip } from "../www/ui/zip.js";

/** @param {string} text */
const bytes = (text) => Uint8Array.from(Buffer.from(text));

/** @param {Map<string, Blob>} files */
async function texts(files) {
  return Object.fromEntries(await Promise.all([...files].map(async ([name, blob]) => [name, await blob.text()])));
}

test("what is packed comes out again, folders left out", async () => {
  const files = [["manifest.json", "{}"], ["weights.safetensors", "abc".repeat(1000)], ["empty", ""], ["twin/", ""]];
  const archive = zip(files.map(([name = "", text = ""]) => ({ name, bytes: bytes(text) })));
  assert.deepEqual(await texts(await unzip(archive)), Object.fromEntries(files.slice(0, 3)));
});

test("entries that are compressed come out, those in unknown ways are refused by name", async () => {
  const text = "the same again ".repeat(100);
  const packed = new Uint8Array(await zip([{ name: "words.txt", bytes: Uint8Array.from(deflateRawSync(text)) }]).arrayBuffer());
  const view = new DataView(packed.buffer);
  const entry = view.getUint32(packed.length - 22 + 16, true);
  view.setUint16(entry + 10, 8, true);
  assert.deepEqual(await texts(await unzip(new Blob([packed]))), { "words.txt": text });
  view.setUint16(entry + 10, 14, true);
  await assert.rejects(unzip(new Blob([packed])), /^Error: words\.txt is packed in a way .*; unpack/);
});

test("what is no archive, or a part of one, is refused", async () => {
  const whole = await zip([{ name: "a", bytes: bytes("text") }]).arrayBuffer();
  for (const part of [new ArrayBuffer(0), bytes("no archive at all, but long enough to be one").buffer, whole.slice(0, -10), whole.slice(20)]) {
    await assert.rejects(unzip(new Blob([part])), /cut off or none/);
  }
});
