// One file from the network against servers that break off, start over, refuse, or send too much.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { download } from "../www/engine/worker/download.js";

const FILE = Uint8Array.from({ length: 10 }, (_, i) => i + 1);
const { fetch, setTimeout } = globalThis;

/** Pauses before another try, in milliseconds. @type {number[]} */
let pauses = [];
/** The `Range` of every request. @type {(string | undefined)[]} */
let ranges = [];

beforeEach(() => {
  [pauses, ranges] = [[], []];
  globalThis.setTimeout = /** @type {any} */ ((/** @type {() => void} */ act, /** @type {number} */ ms) => {
    pauses.push(ms);
    return setImmediate(act);
  });
});
afterEach(() => Object.assign(globalThis, { fetch, setTimeout }));

/**
 * The next answers of the server; the last one is repeated.
 * @param {...((from: number) => Response)} answers
 */
function serve(...answers) {
  globalThis.fetch = async (_, init) => {
    const range = /** @type {Record<string, string> | undefined} */ (init?.headers)?.Range;
    ranges.push(range);
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (!answer) throw new Error("the test has no answer");
    return answer(Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0));
  };
}

/** @param {Uint8Array} bytes @param {boolean} breaks whether the connection then breaks @param {number} status */
function answer(bytes, breaks, status) {
  const body = new ReadableStream({
    pull(controller) {
      if (bytes.length > 0) controller.enqueue(bytes);
      bytes = bytes.subarray(bytes.length);
      if (breaks) controller.error(new Error("reset"));
      else controller.close();
    },
  }, { highWaterMark: 0 });
  return new Response(body, { status });
}

/** @param {number} [count] of bytes, after which the connection breaks */
const part = (count) => (/** @type {number} */ from) =>
  answer(FILE.slice(from, count === undefined ? undefined : from + count), count !== undefined, from > 0 ? 206 : 200);

/** @param {number} [start] bytes that are there already */
async function fetchFile(start = 0) {
  const buffer = new Uint8Array(FILE.length);
  buffer.set(FILE.subarray(0, start));
  /** @type {string[]} */
  const told = [];
  let counted = start;
  await download("https://example.org/file", buffer, start, {
    bytes(chunk, at) {
      assert.equal(at, counted, "bytes are told in order");
      counted += chunk.byteLength;
    },
    restart() {
      told.push("restart");
      counted = 0;
    },
    broken: (reason) => told.push(reason),
  });
  return { buffer, told, counted };
}

test("a file comes whole, with its rest asked for where some of it is there", async () => {
  serve(part());
  assert.deepEqual(await fetchFile(), { buffer: FILE, told: [], counted: 10 });
  assert.deepEqual(await fetchFile(7), { buffer: FILE, told: [], counted: 10 });
  assert.deepEqual(ranges, [undefined, "bytes=7-"]);
});

test("nothing is asked for when all of it is there", async () => {
  serve(part());
  await fetchFile(FILE.length);
  assert.deepEqual(ranges, []);
});

test("a connection that breaks is taken up where it broke", async () => {
  serve(part(4), part(3), part());
  const { buffer, told, counted } = await fetchFile();
  assert.deepEqual(buffer, FILE);
  assert.equal(counted, 10);
  assert.deepEqual(told, ["the connection broke", "the connection broke"]);
  assert.deepEqual(ranges, [undefined, "bytes=4-", "bytes=7-"]);
  assert.deepEqual(pauses, [500, 500], "what has moved on begins its pauses anew");
});

test("a server that knows no ranges sends all of it again", async () => {
  serve(part(4), () => answer(FILE.slice(), false, 200));
  assert.deepEqual(await fetchFile(), { buffer: FILE, told: ["the connection broke", "restart"], counted: 10 });
});

test("an answer that ends too early is a broken connection", async () => {
  serve(() => answer(FILE.slice(0, 6), false, 200), part());
  assert.deepEqual((await fetchFile()).told, ["the connection broke"]);
});

test("a file longer than it should be is refused at once", async () => {
  serve(() => answer(Uint8Array.from([...FILE, 11]), false, 200));
  await assert.rejects(fetchFile(), { message: "it is longer than its manifest says" });
  assert.equal(ranges.length, 1);
});

test("five failures in a row end it, each pause twice as long as the one before", async () => {
  serve(() => { throw new TypeError("Failed to fetch"); });
  await assert.rejects(fetchFile(), { message: "the connection failed" });
  assert.equal(ranges.length, 5);
  assert.deepEqual(pauses, [500, 1000, 2000, 4000]);
});

test("answers that pass are waited for, others are not", async () => {
  serve(() => new Response(null, { status: 503 }), part());
  assert.deepEqual((await fetchFile()).told, ["the server answers 503"]);
  serve(() => new Response(null, { status: 404 }));
  ranges = [];
  await assert.rejects(fetchFile(), { message: "the server answers 404" });
  assert.equal(ranges.length, 1);
});
