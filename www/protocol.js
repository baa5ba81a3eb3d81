// What page and worker say to each other: a mirror of src/engine/protocol.rs, and what the worker adds.

/** Both sides must be of one build; the worker's first message carries this number. */
export const PROTOCOL = 2;

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
 * @property {Keep} [keep] what is taken over from an earlier image
 */

/**
 * @typedef {object} Keep
 * @property {Words[]} bits of the earlier image's scales
 * @property {number} scales so many first scales are kept whole
 * @property {number[]} [mask] one number per token of the finest scale; where it is 0 the tokens of later scales are kept too
 */

/** Packed bits of one scale: ceil(d / 32) unsigned words a token, bit p at position p mod 32. @typedef {number[]} Words */

/** `scales` are height and width in tokens. @typedef {{ name: string, width: number, height: number, scales: [number, number][] }} Aspect */

/**
 * @typedef {object} ModelInfo
 * @property {string} name
 * @property {string} licence
 * @property {number} bytes size of all weights as stored
 * @property {number} parameters
 * @property {number} bits bits of one token
 * @property {string} codec eight digits that tell this model's image tokenizer from others
 * @property {Aspect[]} aspects
 * @property {string[]} examples
 * @property {string[]} words the model knows; empty when it was trained on free text
 * @property {{ cfg: number | number[], tau: number | number[], topP: number }} defaults
 */

/** @typedef {{ width: number, height: number, rgba: Uint8Array<ArrayBuffer> }} Pixels */

/** @typedef {{ type: "started", prompt: string, seed: number, aspect: Aspect, unknownWords: string[] }} Started */
/** @typedef {{ type: "scale", k: number, of: number, height: number, width: number, ms: number, bits: Words, image: Pixels }} Scale */
/** @typedef {{ type: "finished", seed: number, ms: number }} Finished */
/** @typedef {{ type: "decoded", aspect: Aspect, ms: number }} Decoded */
/** @typedef {{ type: "encoded", aspect: Aspect, ms: number, psnr: number[] }} Encoded */
/** @typedef {{ type: "cancelled", scales: number }} Cancelled */
/** @typedef {{ type: "error", code: import("./engine-error.js").ErrorCode, field: string | null, message: string }} Failure */

/** @typedef {{ type: "ready", protocol: number }} Ready */
/** @typedef {{ type: "device", engine: "webgpu" | "cpu", reason: string }} DeviceChosen */
/**
 * How far loading is, engine and weights together. A total of 0 is not known; `speed` is in bytes a second and 0 while
 * nothing comes from the network; `note` says what a visitor should know, such as that a connection broke.
 * @typedef {{ type: "progress", phase: "download" | "build", loaded: number, total: number, speed: number, note: string }} Progress
 */
/** @typedef {{ type: "loaded", model: ModelInfo }} Loaded */
/** @typedef {{ type: "inspected", name: string, licence: string, bytes: number, parameters: number }} Inspected */
/** Size of the wasm heap, which never shrinks. @typedef {{ type: "memory", bytes: number }} Memory */
/** @typedef {{ type: "crashed", message: string }} Crashed */

/**
 * @typedef {Ready | DeviceChosen | Progress | Loaded | Inspected | Memory | Started | Scale | Finished | Decoded | Encoded | Cancelled
 *   | Failure | Crashed} EngineEvent
 */

/**
 * A model whose files lie wherever a bundler has put them.
 * @typedef {object} Model
 * @property {string} manifest its address
 * @property {Record<string, string>} files the address of every file that the manifest names
 */
/**
 * Where a model is: the address of its manifest, the name of an imported package, what such a package exports, or the manifest and
 * all shards as files of the visitor.
 * @typedef {string | Model | File[]} Source
 */

/** @typedef {{ type: "load", source: Source, engine: EngineChoice, cache: boolean }} LoadCommand */
/** @typedef {{ type: "inspect", source: Source }} InspectCommand */
/** @typedef {{ type: "generate", options: Options }} GenerateCommand */
/** @typedef {{ type: "decode", aspect: string, bits: Words[] }} DecodeCommand */
/** @typedef {{ type: "encode", aspect: string, rgba: Uint8Array }} EncodeCommand */
/** @typedef {{ type: "cancel" }} CancelCommand */
/** @typedef {LoadCommand | InspectCommand | GenerateCommand | DecodeCommand | EncodeCommand | CancelCommand} Command */
