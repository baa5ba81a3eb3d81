// The one bar of loading: bytes, speed, phase, and what is said with them.

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { Meter } from "../www/engine/worker/progress.js";

/** @typedef {import("../www/engine/protocol.js").Progress} Progress */

/** The clock. */
let now = 0;
/** @type {Progress[]} */
let told = [];
/** @type {Meter} */
let meter;

mock.method(performance, "now", () => now);
beforeEach(() => {
  [now, told] = [1000, []];
  meter = new Meter((event) => told.push(event));
});

const last = () => /** @type {Progress} */ (told.at(-1));

test("bytes are counted against all that is needed, wherever they come from", () => {
  meter.need(600);
  meter.need(400);
  meter.recall(100);
  now += 200;
  meter.arrive(300);
  const { loaded, total, phase } = last();
  assert.deepEqual({ loaded, total, phase }, { loaded: 400, total: 1000, phase: "download" });
});

test("building begins when the last byte is here, and not before", () => {
  meter.need(1000);
  meter.arrive(999);
  assert.equal(last().phase, "download");
  meter.arrive(1);
  assert.equal(last().phase, "build", "the last byte is told although the page was told a moment ago");
  // Something else is needed after all.
  meter.need(500);
  now += 200;
  meter.arrive(100);
  assert.equal(last().phase, "download");
});

test("speed is that of the network over the last three seconds", () => {
  meter.need(1e6);
  meter.recall(500_000);
  for (let i = 0; i < 20; i++) {
    meter.arrive(1000);
    now += 500;
  }
  // Seven arrivals lie in the window, over the three seconds since the first of them.
  meter.recall(0);
  assert.equal(last().loaded, 520_000);
  assert.ok(Math.abs(last().speed - 2000) < 400, `${last().speed}`);
  now += 10_000;
  meter.recall(0);
  assert.equal(last().speed, 0, "nothing has come for long");
});

test("bytes that turned out wrong are taken back, without a speed below zero", () => {
  meter.need(1000);
  meter.arrive(400);
  now += 200;
  meter.arrive(-400);
  assert.deepEqual([last().loaded, last().speed], [0, 0]);
});

test("the page is told ten times a second at most", () => {
  meter.need(1e6);
  for (let i = 0; i < 1000; i++) {
    meter.arrive(1);
    now += 1;
  }
  assert.ok(told.length >= 9 && told.length <= 11, `${told.length} times`);
});

test("a remark goes with the next byte, a warning stays", () => {
  meter.need(1000);
  meter.arrive(1);
  meter.remark("The connection broke.");
  assert.equal(last().note, "The connection broke.", "at once");
  meter.warn("The storage is full.");
  assert.equal(last().note, "The connection broke.");
  now += 200;
  meter.arrive(1);
  assert.equal(last().note, "The storage is full.");
});
