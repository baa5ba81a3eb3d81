// Prompts from chips read as a person would write them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parts, surprise, withBackdrop, withColor, withPlace, withStyle } from "../www/generate/prompt-words.js";

test("a color goes before the object and takes the place of another", () => {
  assert.equal(withColor("an apple", "red"), "a red apple");
  assert.equal(withColor("a red apple", "orange"), "an orange apple");
  assert.equal(withColor("a glossy red apple at night", "orange"), "a glossy orange apple at night");
  assert.equal(withColor("grapes", "blue"), "blue grapes");
  assert.equal(withColor("the car on a red background", "blue"), "the blue car on a red background");
  assert.equal(withColor("a picture of an apple on red", "green"), "a picture of a green apple on red");
  assert.equal(withColor("a unicorn", "gray"), "a gray unicorn");
  assert.equal(withColor("", "green"), "green");
});

test("a backdrop goes to the end and takes the place of another", () => {
  assert.equal(withBackdrop("a red apple", "blue"), "a red apple on a blue background");
  assert.equal(withBackdrop("a red apple on a blue background", "orange"), "a red apple on an orange background");
  assert.equal(withBackdrop("a red apple on blue", "white"), "a red apple on a white background");
  assert.equal(withBackdrop("red apple, grey background", "white"), "red apple on a white background");
  assert.equal(withBackdrop("a cat in a meadow", "white"), "a cat on a white background");
  assert.equal(withPlace("a cat on a red to blue gradient background", "under water"), "a cat under water");
  assert.equal(withPlace("a cat", "at night"), "a cat at night");
});

test("a style stands where it is said, and goes away again", () => {
  assert.equal(withStyle("an apple on blue", "glossy"), "a glossy apple on blue");
  assert.equal(withStyle("a glossy apple on blue", "glossy"), "an apple on blue");
  assert.equal(withStyle("a glossy red apple", "cartoon"), "a cartoon red apple");
  assert.equal(withStyle("a glossy red apple", "pixel art of"), "pixel art of a red apple");
  assert.equal(withStyle("pixel art of a red apple", "pixel art of"), "a red apple");
  assert.equal(withStyle("pixel art of a red apple", "flat"), "a flat red apple");
});

test("only chips of known words are offered", () => {
  const some = parts(["a", "red", "apple", "blue", "on", "background", "glossy", "pixel", "of", "art", "beach"]);
  assert.deepEqual(some.colors.map(([name]) => name), ["red", "blue"]);
  assert.deepEqual(some.backdrops, some.colors);
  assert.deepEqual(some.styles, ["glossy", "pixel art of"]);
  assert.deepEqual(some.places, ["on a beach"]);
  assert.deepEqual(parts(["red", "apple"]).backdrops, []);
  assert.equal(parts([]).colors.length, 11);
});

test("a surprise is an example in colors that the model knows", () => {
  const words = ["a", "red", "blue", "apple", "pear", "on", "background", "cat", "at", "night"];
  const examples = ["a red apple", "a blue pear on a red background", "a cat at night"];
  const seen = new Set();
  for (let i = 0; i < 200; i++) seen.add(surprise(examples, words, Math.random));
  for (const prompt of seen) assert.match(prompt, /^a ((red|blue) (apple|pear on a (red|blue) background)|cat at night)$/);
  assert.ok(seen.size >= 4, [...seen].join("; "));
});
