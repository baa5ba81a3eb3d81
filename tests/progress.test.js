// The one bar of loading: bytes, speed, phase, and what is said with them.

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { LoadProgress } from "../www/engine/worker/progress.js";

/** @typedef {import("../www/engine/protocol.js").Progress} Progress */

/** The clock. */
let now = 0;
/** @type {Progress[]} */
let reported = [];
/** @type {LoadProgress} */
let progress;

mock.method(performance, "now", () => now);
beforeEach(() => {
  [now, reported] = [1000, []];
  progress = new LoadProgress((event) => reported.push(event));
});

const last = () => /** @type {Progress} */ (reported.at(-1));

test("bytes are counted against all that is needed, wherever they come from", () => {
  progress.need(600);
  progress.need(400);
  progress.recall(100);
  now += 200;
  progress.arrive(300);
  const { loaded, total, phase } = last();
  assert.deepEqual({ loaded, total, phase }, { loaded: 400, total: 1000, phase: "download" });
});

test("building begins when the last byte is here, and not before", () => {
  progress.need(1000);
  progress.arrive(999);
  assert.equal(last().phase, "download");
  progress.arrive(1);
  assert.equal(last().phase, "build", "the last byte is reported although the page was reported a moment ago");
  // Something else is needed after all.
  progress.need(500);
  now += 200;
  progress.arrive(100);
  assert.equal(last().phase, "download");
});

test("speed is that of the network over the last three seconds", () => {
  progress.need(1e6);
  progress.recall(500_000);
  for (let i = 0; i < 20; i++) {
    progress.arrive(1000);
    now += 500;
  }
  // Seven arrivals lie in the window, over the three seconds since the first of them.
  progress.recall(0);
  assert.equal(last().loaded, 520_000);
  assert.ok(Math.abs(last().speed - 2000) < 400, `${last().speed}`);
  now += 10_000;
  progress.recall(0);
  assert.equal(last().speed, 0, "nothing has come for long");
});

test("bytes that turned out wrong are taken back, without a speed below zero", () => {
  progress.need(1000);
  progress.arrive(400);
  now += 200;
  progress.arrive(-400);
  assert.deepEqual([last().loaded, last().speed], [0, 0]);
});

test("progress is reported ten times a second at most", () => {
  progress.need(1e6);
  for (let i = 0; i < 1000; i++) {
    progress.arrive(1);
    now += 1;
  }
  assert.ok(reported.length >= 9 && reported.length <= 11, `${reported.length} times`);
});

test("a remark goes with the next byte, a warning stays", () => {
  progress.need(1000);
  progress.arrive(1);
  progress.remark("The connection broke.");
  assert.equal(last().note, "The connection broke.", "at once");
  progress.warn("The storage is full.");
  assert.equal(last().note, "The connection broke.");
  now += 200;
  progress.arrive(1);
  assert.equal(last().note, "The storage is full.");
});
