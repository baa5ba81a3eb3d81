// The paths that the lab compares: a row for each.

/** @typedef {import("../engine/protocol.js").Scale} Scale */
/** @typedef {import("../engine/protocol.js").Words} Words */

/** What the bits of a scale were, and which of them were flipped. @typedef {{ clean: Words, mask: Words }} Before */
/** What a scale of any path has. @typedef {Pick<Scale, "k" | "height" | "width" | "bits" | "image" | "deviation">} Step */

/**
 * A row; `against` is the row without flips that it is compared with.
 * @typedef {{ id: string, name: string, words: string, against: string }} Row
 */

/** @type {Row[]} */
export const ROWS = [
  { id: "clean", name: "Clean path", words: "no bit is flipped", against: "clean" },
  { id: "flipped", name: "Old residuals", words: "bits flipped, all else kept", against: "clean" },
  { id: "requantised", name: "Re-quantized", words: "later residuals see the flips", against: "clean" },
  { id: "model-clean", name: "Transformer, no flips", words: "what it generates by itself", against: "model-clean" },
  { id: "model", name: "Transformer, flipped", words: "it goes on from the flips", against: "model-clean" },
  { id: "baseline-clean", name: "Baseline, no flips", words: "teacher forcing, by itself", against: "baseline-clean" },
  { id: "baseline", name: "Baseline, flipped", words: "it was never taught to correct", against: "baseline-clean" },
];

/** The transformers' rows: they are cleared when other bits are flipped. */
export const GENERATED = ROWS.slice(3).map(({ id }) => id);
