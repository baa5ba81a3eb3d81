// Prompts from chips read as a person would write them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parts, surprise, withBackdrop, withColour, withStyle } from "../www/words.js";

test("a colour goes before the object and takes the place of another", () => {
  assert.equal(withColour("an apple", "red"), "a red apple");
  assert.equal(withColour("a red apple", "orange"), "an orange apple");
  assert.equal(withColour("grapes", "blue"), "blue grapes");
  assert.equal(withColour("the car on a red background", "blue"), "the blue car on a red background");
  assert.equal(withColour("a picture of an apple on red", "green"), "a picture of a green apple on red");
  assert.equal(withColour("", "green"), "green");
});

test("a backdrop goes to the end and takes the place of another", () => {
  assert.equal(withBackdrop("a red apple", "blue"), "a red apple on a blue background");
  assert.equal(withBackdrop("a red apple on a blue background", "orange"), "a red apple on an orange background");
  assert.equal(withBackdrop("a red apple on blue", "white"), "a red apple on a white background");
  assert.equal(withBackdrop("red apple, grey background", "white"), "red apple on a white background");
});

test("a style goes first and away again", () => {
  const styled = withStyle("a red apple on blue", "a picture of");
  assert.equal(styled, "a picture of a red apple on blue");
  assert.equal(withStyle(styled, "a picture of"), "a red apple on blue");
  assert.equal(withStyle(styled, "a photo of"), "a photo of a red apple on blue");
});

test("only chips of known words are offered", () => {
  const some = parts(["a", "red", "apple", "blue", "on", "background", "picture", "of"]);
  assert.deepEqual(some.colours.map(([name]) => name), ["red", "blue"]);
  assert.deepEqual(some.backdrops, some.colours);
  assert.deepEqual(some.styles, ["a picture of"]);
  assert.deepEqual(parts(["red", "apple"]).backdrops, []);
  assert.equal(parts([]).colours.length, 11);
});

test("a surprise is an example in colours that the model knows", () => {
  const words = ["a", "red", "blue", "apple", "pear", "on", "background"];
  const seen = new Set();
  for (let i = 0; i < 100; i++) seen.add(surprise(["a red apple", "a blue pear on a red background"], words, Math.random));
  for (const prompt of seen) assert.match(prompt, /^a (red|blue) (apple|pear on a (red|blue) background)$/);
  assert.ok(seen.size >= 3, [...seen].join("; "));
});
