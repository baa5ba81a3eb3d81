// Prompts from parts: colors, backdrops and styles whose words the model knows.

/** A color's name and how it looks. @typedef {[name: string, css: string]} Color */

/** @type {Color[]} */
const COLORS = [
  ["red", "#d93a2f"], ["orange", "#f08a24"], ["yellow", "#f2cf3a"], ["green", "#3f9b4b"], ["blue", "#3b6fd4"],
  ["purple", "#8751c4"], ["pink", "#ee8fb5"], ["brown", "#8a5a3a"], ["black", "#222222"], ["white", "#fafafa"], ["gray", "#8d8f96"],
];
/** What follows the object. */
const PLACES = ["in a meadow", "at night", "on a beach", "in the snow", "under water", "at sunset", "in the desert"];
/** Styles that are said before the noun: "a glossy apple". */
const ADJECTIVES = ["flat", "glossy", "cartoon", "simple"];
/** Styles that are said before all: "pixel art of an apple". */
const LEADS = ["pixel art of", "a black silhouette of", "a sticker of", "a photo of", "a painting of", "a sketch of"];

const COLOR = `(?:${[...COLORS.map(([name]) => name), "grey", "violet"].join("|")})`;
const BACKDROP = new RegExp(
  `\\s+on\\s+(?:an?\\s+)?${COLOR}(?:\\s+to\\s+${COLOR}\\s+gradient)?(?:\\s+background)?\\s*$` +
    `|,?\\s+(?:an?\\s+)?${COLOR}(?:\\s+to\\s+${COLOR}\\s+gradient)?\\s+background\\s*$` +
    `|\\s+(?:${PLACES.join("|")})\\s*$`,
  "i",
);
const LEAD = new RegExp(`^\\s*(?:${LEADS.join("|")}|a picture of)\\s+`, "i");
const OBJECT = new RegExp(`^(?:(an?|the)(?:\\s+|$))?(?:(${ADJECTIVES.join("|")})(?:\\s+|$))?(?:(${COLOR})(?:\\s+|$))?(.*)$`, "i");

/**
 * What chips can be offered.
 * @param {string[]} words that the model knows; none means all
 */
export function parts(words) {
  const known = new Set(words);
  /** @param {string} phrase */
  const knows = (phrase) => words.length === 0 || phrase.split(" ").every((word) => known.has(word));
  const colors = COLORS.filter(([name]) => knows(name));
  return {
    colors,
    backdrops: knows("on") && knows("background") ? colors : [],
    places: PLACES.filter(knows),
    styles: [...ADJECTIVES, ...LEADS].filter(knows),
  };
}

/**
 * "an apple on .." becomes "a red apple on ..", "a blue apple" becomes "a red apple".
 * @param {string} prompt
 * @param {string} color
 */
export function withColor(prompt, color) {
  return join({ ...split(prompt), color });
}

/**
 * @param {string} prompt
 * @param {string} color
 */
export function withBackdrop(prompt, color) {
  return join({ ...split(prompt), backdrop: ` on ${article(color)} ${color} background` });
}

/**
 * @param {string} prompt
 * @param {string} place such as "in a meadow"
 */
export function withPlace(prompt, place) {
  return join({ ...split(prompt), backdrop: ` ${place}` });
}

/**
 * Says a style in its place, or takes it away if it is there.
 * @param {string} prompt
 * @param {string} style such as "glossy" or "pixel art of"
 */
export function withStyle(prompt, style) {
  const now = split(prompt);
  const had = now.adjective === style || now.lead === style;
  const bare = { ...now, adjective: "", lead: "" };
  if (had) return join(bare);
  return join(ADJECTIVES.includes(style) ? { ...bare, adjective: style } : { ...bare, lead: style });
}

/**
 * One of the examples in other colors.
 * @param {string[]} examples
 * @param {string[]} words that the model knows
 * @param {() => number} random from 0 to 1
 */
export function surprise(examples, words, random) {
  const { colors, backdrops } = parts(words);
  /** @template T @param {T[]} list */
  const pick = (list) => list[Math.floor(random() * list.length)];
  const prompt = pick(examples) ?? "";
  const { color, backdrop } = split(prompt);
  const [object] = pick(colors) ?? [];
  const [behind] = pick(backdrops.filter(([name]) => name !== object)) ?? [];
  const painted = object && color ? withColor(prompt, object) : prompt;
  return behind && backdrop.endsWith("background") ? withBackdrop(painted, behind) : painted;
}

/**
 * @typedef {object} Phrase
 * @property {string} lead "pixel art of"
 * @property {string} article of the object as it was typed
 * @property {string} adjective "glossy"
 * @property {string} color "red"
 * @property {string} noun all the rest
 * @property {string} backdrop with the space or comma before it
 */

/**
 * @param {string} prompt
 * @returns {Phrase}
 */
function split(prompt) {
  const [lead = ""] = LEAD.exec(prompt) ?? [];
  const rest = prompt.slice(lead.length).trim();
  const [backdrop = ""] = BACKDROP.exec(` ${rest}`) ?? [];
  const object = rest.slice(0, Math.max(0, rest.length - backdrop.length));
  const [, article = "", adjective = "", color = "", noun = ""] = OBJECT.exec(object) ?? [];
  return { lead: lead.trim().toLowerCase(), article, adjective: adjective.toLowerCase(), color, noun, backdrop: backdrop.trimEnd() };
}

/** @param {Phrase} phrase */
function join({ lead, article: typed, adjective, color, noun, backdrop }) {
  const object = [adjective, color, noun].filter(Boolean).join(" ");
  const first = typed && typed.toLowerCase() !== "the" ? article(object) : typed;
  return `${[lead, first, object].filter(Boolean).join(" ")}${backdrop}`.trim();
}

/** @param {string} words */
function article(words) {
  return /^[aeiou]/i.test(words) && !/^(uni|ufo)/i.test(words) ? "an" : "a";
}
