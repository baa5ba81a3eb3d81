// What page and worker say to each other: a mirror of src/engine/protocol.rs.

/** Both sides must be of one build; the worker's first message carries this number. */
export const PROTOCOL = 1;

/** @typedef {"auto" | "webgpu" | "cpu"} EngineChoice */

/**
 * @typedef {object} Options
 * @property {string} prompt
 * @property {number} seed an integer from 0 to 2^53 - 1
 * @property {string} aspect name of a template, such as "4:3"
 * @property {number | number[]} [cfg] guidance, one value or one per scale
 * @property {number | number[]} [tau] temperature, one value or one per scale
 * @property {number} [topP] nucleus of each bit's two values, 0 turns it off
 * @property {string} [negativePrompt]
 * @property {boolean} [positivePrompt] prompts about people ask for good faces besides
 */

/** @typedef {{ name: string, width: number, height: number, scales: [number, number][] }} Aspect */

/**
 * @typedef {object} ModelInfo
 * @property {string} name
 * @property {string} licence
 * @property {number} bytes size of all weights as stored
 * @property {number} parameters
 * @property {number} bits bits of one token
 * @property {Aspect[]} aspects
 * @property {string[]} examples
 * @property {string[]} words the model knows; empty when it was trained on free text
 * @property {{ cfg: number | number[], tau: number | number[], topP: number }} defaults
 */

/** @typedef {{ type: "progress", phase: "engine" | "tokenizer" | "weights", loaded: number, total: number }} Progress */
/** @typedef {{ type: "started", prompt: string, seed: number, aspect: Aspect, unknownWords: string[] }} Started */
/** @typedef {{ type: "scale", k: number, of: number, height: number, width: number, ms: number, image: Pixels }} Scale */
/** @typedef {{ width: number, height: number, rgba: Uint8Array<ArrayBuffer> }} Pixels */
/** @typedef {{ type: "finished", seed: number, ms: number }} Finished */
/** @typedef {{ type: "cancelled", scales: number }} Cancelled */
/** @typedef {{ type: "error", code: string, field: string | null, message: string }} Failure */

/** @typedef {{ type: "ready", protocol: number }} Ready */
/** @typedef {{ type: "device", engine: "webgpu" | "cpu", reason: string }} DeviceChosen */
/** @typedef {{ type: "loaded", model: ModelInfo }} Loaded */
/** @typedef {{ type: "crashed", message: string }} Crashed */

/** @typedef {Ready | DeviceChosen | Progress | Loaded | Started | Scale | Finished | Cancelled | Failure | Crashed} EngineEvent */

/** @typedef {{ type: "load", manifest: string, engine: EngineChoice }} LoadCommand */
/** @typedef {{ type: "generate", options: Options }} GenerateCommand */
/** @typedef {{ type: "cancel" }} CancelCommand */
/** @typedef {LoadCommand | GenerateCommand | CancelCommand} Command */
