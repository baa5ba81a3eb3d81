// The link format: what docs/share-format.md says, round trips, and every kind of bad input.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBytes, planes, toBytes } from "../www/image/bits.js";
import { ShareError, decodeShare, encodeShare } from "../www/image/share-link.js";

/** A small generator, so that a failure can be repeated. @param {number} seed */
function random(seed) {
  return () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
}

/** @type {[number, number][]} */
const SCALES = [[1, 1], [2, 2], [4, 4], [6, 6], [8, 8]];

/** @param {number} bits @returns {import("../www/engine/protocol.js").ModelInfo} */
function model(bits) {
  return {
    name: "test", licence: "", bytes: 0, shard: 0, parameters: 0, bits, codec: "0badcafe", examples: [], words: [],
    aspects: [
      { name: "1:1", width: 128, height: 128, scales: SCALES },
      { name: "3:1", width: 192, height: 64, scales: SCALES.map(([h, w]) => [h, 3 * w]) },
    ],
    defaults: { cfg: 3, tau: 1, topP: 0 },
  twin: null,
  };
}

/**
 * @param {number} d
 * @param {() => number} next
 * @param {string} aspect
 */
function image(d, next, aspect = "1:1") {
  const scales = model(d).aspects.find(({ name }) => name === aspect)?.scales ?? [];
  const word = (/** @type {number} */ index) => {
    const width = Math.min(32, d - 32 * (index % Math.ceil(d / 32)));
    return Math.floor(next() * 2 ** width);
  };
  return scales.map(([h, w]) => Array.from({ length: h * w * Math.ceil(d / 32) }, (_, i) => word(i)));
}

test("bits survive the way into a link and back, whatever a token's width", () => {
  const next = random(1);
  for (const d of [1, 7, 8, 16, 31, 32, 33, 56, 64, 128]) {
    for (const aspect of ["1:1", "3:1"]) {
      for (const seed of [null, 0, 7, 2 ** 53 - 1]) {
        const bits = image(d, next, aspect);
        const link = encodeShare({ aspect, bits, seed }, model(d));
        assert.match(link, /^[\w-]+$/);
        assert.deepEqual(decodeShare(link, model(d)), { aspect, bits, seed });
      }
    }
  }
});

test("an image of 121 tokens of 32 bits is 497 bytes, about half a kilobyte", () => {
  const link = encodeShare({ aspect: "1:1", bits: image(32, random(2)), seed: null }, model(32));
  assert.equal(Math.floor((link.length * 3) / 4), 121 * 4 + 9 + 4);
  assert.ok(link.length <= 663, `${link.length} characters`);
});

test("the bytes are those of the format", () => {
  const d = 2;
  const bits = SCALES.map(([h, w]) => new Array(h * w).fill(0));
  bits[0] = [0b10];
  bits[1] = [0b01, 0b11, 0, 0];
  const bytes = Buffer.from(encodeShare({ aspect: "1:1", bits, seed: 258 }, model(d)), "base64url");
  assert.deepEqual([...bytes.subarray(0, 9)], [1, 1, 0, 5, 2, 0xfe, 0xca, 0xad, 0x0b]);
  assert.deepEqual([...bytes.subarray(9, 17)], [2, 1, 0, 0, 0, 0, 0, 0]);
  assert.deepEqual([...bytes.subarray(17, 19)], [0b00110110, 0]);
  assert.equal(bytes.length, 9 + 8 + Math.ceil((121 * 2) / 8) + 4);
});

test("no changed, cut or lengthened link is shown", () => {
  const next = random(3);
  const good = encodeShare({ aspect: "1:1", bits: image(16, next), seed: 5 }, model(16));
  const refused = (/** @type {string} */ link) => assert.throws(() => decodeShare(link, model(16)), ShareError, link);
  for (let length = 0; length < good.length; length++) refused(good.slice(0, length));
  for (const more of ["A", "AAAA", good, "=", " ", "%20", "é"]) refused(good + more);
  for (let i = 0; i < 3000; i++) {
    const bytes = Buffer.from(good, "base64url");
    for (let changes = 1 + Math.floor(next() * 3); changes > 0; changes--) {
      const at = Math.floor(next() * bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(next() * 8));
    }
    if (bytes.equals(Buffer.from(good, "base64url"))) continue;
    refused(bytes.toString("base64url"));
  }
});

test("no noise is shown, and what it says is always a sentence", () => {
  const next = random(4);
  for (let i = 0; i < 3000; i++) {
    const bytes = Buffer.from(Array.from({ length: Math.floor(next() * 300) }, () => Math.floor(next() * 256)));
    if (next() < 0.5 && bytes.length > 13) withCheck(bytes);
    try {
      decodeShare(bytes.toString("base64url"), model(16));
      assert.fail("noise was shown");
    } catch (error) {
      assert.ok(error instanceof ShareError && /^[A-Z].*\.$/.test(error.message), String(error));
    }
  }
});

test("with a right check, every field is still looked at", () => {
  const good = Buffer.from(encodeShare({ aspect: "1:1", bits: image(7, random(5)), seed: 5 }, model(7)), "base64url");
  /** @type {[string, (bytes: Buffer) => void, RegExp][]} */
  const cases = [
    ["version", (bytes) => (bytes[0] = 2), /version 2/],
    ["flags", (bytes) => (bytes[1] = 3), /does not know/],
    ["no seed", (bytes) => (bytes[1] = 0), /another length/],
    ["shape", (bytes) => (bytes[2] = 15), /no possible image/],
    ["another shape", (bytes) => (bytes[2] = 14), /another length/],
    ["no scales", (bytes) => (bytes[3] = 0), /no possible image/],
    ["14 scales", (bytes) => (bytes[3] = 14), /no possible image/],
    ["4 scales", (bytes) => (bytes[3] = 4), /another model/],
    ["no bits", (bytes) => (bytes[4] = 0), /no possible image/],
    ["8 bits", (bytes) => (bytes[4] = 8), /another model/],
    ["codec", (bytes) => (bytes[5] = 0), /another model/],
    ["seed", (bytes) => (bytes[16] = 255), /seed/],
    ["bits beyond the end", (bytes) => (bytes[bytes.length - 5] = 255), /more bits/],
  ];
  for (const [name, change, message] of cases) {
    const bytes = Buffer.from(good);
    change(bytes);
    withCheck(bytes);
    assert.throws(() => decodeShare(bytes.toString("base64url"), model(7)), { message }, name);
  }
});

test("bytes and words agree, and bit planes are the bits", () => {
  const bits = image(33, random(6));
  const tokens = SCALES.map(([h, w]) => h * w);
  assert.deepEqual(fromBytes(toBytes(bits, 33), tokens, 33), bits);
  const sheet = planes([0b01, 0b11, 0b00, 0b10], 2, 2, 2);
  const lit = [...sheet.cells].map((cell, i) => (cell === 1 ? i : -1)).filter((i) => i >= 0);
  assert.equal(lit.length, 4);
  assert.equal(sheet.cells.length, sheet.width * sheet.height);
  assert.equal([...sheet.cells].filter((cell) => cell >= 0).length, 8);
});

/** Puts the check of what is before it into the last four bytes. @param {Buffer} bytes */
function withCheck(bytes) {
  bytes.writeUInt32LE(crc32(bytes.subarray(0, -4)), bytes.length - 4);
}

/** @param {Buffer} bytes */
function crc32(bytes) {
  const table = Array.from({ length: 256 }, (_, n) => {
    for (let i = 0; i < 8; i++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
    return n >>> 0;
  });
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (table[(crc ^ byte) & 255] ?? 0) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
