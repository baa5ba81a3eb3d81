// Prompts from parts: colours, backdrops and styles whose words the model knows.

/** Names and how they look. @type {[string, string][]} */
const COLOURS = [
  ["red", "#d93a2f"], ["orange", "#f08a24"], ["yellow", "#f2cf3a"], ["green", "#3f9b4b"], ["blue", "#3b6fd4"],
  ["purple", "#8751c4"], ["pink", "#ee8fb5"], ["brown", "#8a5a3a"], ["black", "#222222"], ["white", "#fafafa"], ["gray", "#8d8f96"],
];
const STYLES = ["a picture of", "a photo of", "a painting of", "a drawing of", "a sketch of", "an icon of"];
const NAMES = COLOURS.map(([name]) => name);
const COLOUR = `(?:${[...NAMES, "grey", "violet"].join("|")})`;
const BACKDROP = new RegExp(`(?:\\s+on\\s+(?:an?\\s+)?${COLOUR}(?:\\s+background)?|,?\\s+(?:an?\\s+)?${COLOUR}\\s+background)\\s*$`, "i");
const STYLE = new RegExp(`^\\s*(?:${STYLES.join("|")})\\s+`, "i");

/**
 * What chips can be offered.
 * @param {string[]} words that the model knows; none means all
 */
export function parts(words) {
  const known = new Set(words);
  /** @param {string} phrase */
  const knows = (phrase) => words.length === 0 || phrase.split(" ").every((word) => known.has(word));
  const colours = COLOURS.filter(([name]) => knows(name));
  return {
    colours,
    backdrops: knows("on") && knows("background") ? colours : [],
    styles: STYLES.filter(knows),
  };
}

/**
 * "a apple on .." becomes "a red apple on ..", "a blue apple" becomes "a red apple".
 * @param {string} prompt
 * @param {string} colour
 */
export function withColour(prompt, colour) {
  const { style, object, backdrop } = split(prompt);
  const painted = new RegExp(`\\b${COLOUR}\\b`, "i");
  if (painted.test(object)) return style + articled(object.replace(painted, colour)) + backdrop;
  const [, article = "", rest = ""] = /^(an?\s+|the\s+)?(.*)$/i.exec(object) ?? [];
  return style + articled(`${article}${colour}${rest && " "}${rest}`) + backdrop;
}

/**
 * @param {string} prompt
 * @param {string} colour
 */
export function withBackdrop(prompt, colour) {
  const { style, object } = split(prompt);
  return `${style}${object} on ${articled(`a ${colour}`)} background`;
}

/**
 * Puts a style first, or takes it away if it is there.
 * @param {string} prompt
 * @param {string} wanted such as "a picture of"
 */
export function withStyle(prompt, wanted) {
  const { style, object, backdrop } = split(prompt);
  return (style.trim().toLowerCase() === wanted ? "" : `${wanted} `) + object + backdrop;
}

/**
 * One of the examples in other colours.
 * @param {string[]} examples
 * @param {string[]} words that the model knows
 * @param {() => number} random from 0 to 1
 */
export function surprise(examples, words, random) {
  const { colours, backdrops } = parts(words);
  /** @template T @param {T[]} list */
  const pick = (list) => list[Math.floor(random() * list.length)];
  const prompt = pick(examples) ?? "";
  const [object] = pick(colours) ?? [];
  const [backdrop] = pick(backdrops.filter(([name]) => name !== object)) ?? [];
  const painted = object && new RegExp(COLOUR, "i").test(split(prompt).object) ? withColour(prompt, object) : prompt;
  return backdrop && split(painted).backdrop ? withBackdrop(painted, backdrop) : painted;
}

/** @param {string} prompt */
function split(prompt) {
  const [style = ""] = STYLE.exec(prompt) ?? [];
  const rest = prompt.slice(style.length).trim();
  const [backdrop = ""] = BACKDROP.exec(rest) ?? [];
  return { style: style.trimStart(), object: rest.slice(0, rest.length - backdrop.length), backdrop };
}

/** "a orange" becomes "an orange", "an red" becomes "a red". @param {string} text */
function articled(text) {
  return text.replace(/^an?(?=\s+(\w))/i, (_, next) => (/[aeiou]/i.test(next) ? "an" : "a"));
}
