// The messages between the page and the engine's thread. Types of what the engine itself takes and gives mirror
// src/engine/protocol.rs, all but one: `progress` is the thread's own (worker/progress.js), as it fetches the files and counts the wasm
// among them; the `progress` event of protocol.rs is for the command line. Commands are the page's, answered by worker.js.

/** Both sides must be of one build; the worker's first message carries this number. */
export const PROTOCOL = 5;

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
 * @property {boolean} [positivePrompt] prompts about people also ask for good faces
 * @property {Keep} [keep] what is taken over from an earlier image
 * @property {Flips} [flips] bits that are flipped after they were drawn, or kept
 * @property {Words[]} [against] bits of a finished image of this shape; every scale then says how far it is from it
 */

/**
 * Bits to flip.
 * @typedef {object} Flips
 * @property {number[]} scales from 1; each of their bits flips with probability `rate`
 * @property {number} rate from 0 to 1
 * @property {number} seed says which bits those are
 * @property {BitAt[]} [single] further bits; one that was picked by `rate` too stays as it was
 */

/** One bit of an image: its scale from 1, its token row by row from 0, its plane from 0. @typedef {{ scale: number, token: number, bit: number }} BitAt */

/** An image to flip bits of: its own bits, or the pixels of a picture in the size of its shape. @typedef {{ aspect: string, bits: Words[] } | { aspect: string, rgba: Uint8Array }} Subject */

/**
 * How far an image is from what it should be.
 * @typedef {object} Deviation
 * @property {number} flipped bits of this scale that were flipped
 * @property {number} error |F - F_k| / |F|
 * @property {number} psnr of its picture in decibels; infinite where nothing differs
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
 * @property {number} bytes size of weights and tokenizer as stored
 * @property {number} shard size of its largest shard
 * @property {number} parameters
 * @property {number} bits bits of one token
 * @property {string} codec eight digits that tell this model's image tokenizer from others
 * @property {Aspect[]} aspects
 * @property {string[]} examples
 * @property {string[]} words the model knows; empty when it was trained on free text
 * @property {{ cfg: number | number[], tau: number | number[], topP: number }} defaults
 * @property {string | null} twin where its teacher-forced baseline is, from its manifest
 */

/** @typedef {{ width: number, height: number, rgba: Uint8Array<ArrayBuffer> }} Pixels */

/**
 * What a scale added to the running sum, R_k in the size of the latent: signed bytes, channel by channel and row by row, of which
 * 127 is the component 1/sqrt(d) of a code.
 * @typedef {{ height: number, width: number, levels: Uint8Array<ArrayBuffer> }} Residual
 */

/** @typedef {{ type: "started", prompt: string, seed: number, aspect: Aspect, unknownWords: string[] }} Started */
/** @typedef {{ type: "scale", k: number, of: number, height: number, width: number, ms: number, bits: Words, residual: Residual, image: Pixels, deviation?: Deviation }} Scale */
/** What an image's bits go through: nothing, flips with the old residuals kept, flips with later residuals quantized again. @typedef {"clean" | "flipped" | "requantised"} Treatment */
/** @typedef {{ type: "path", path: Treatment, k: number, of: number, height: number, width: number, bits: Words, image: Pixels, deviation: Deviation }} Path */
/** @typedef {{ type: "compared", aspect: Aspect, ms: number }} Compared */
/** Runs of a reference implementation on the GPU because no kernel fitted. @typedef {{ op: string, reason: string, count: number }} Fallback */
/** @typedef {{ type: "finished", seed: number, ms: number, fallbacks: Fallback[] }} Finished */
/** @typedef {{ type: "decoded", aspect: Aspect, ms: number }} Decoded */
/** @typedef {{ type: "encoded", aspect: Aspect, ms: number, psnr: number[] }} Encoded */
/**
 * What stays the same through all steps of a training.
 * @typedef {object} TrainConfig
 * @property {{ width: number, depth: number }} [fresh] sizes of a transformer that starts from nothing, instead of the loaded one
 * @property {number} batch pictures of a step
 * @property {number} seed
 */
/**
 * How a training goes on.
 * @typedef {object} TrainSchedule
 * @property {number} learningRate
 * @property {number} flips self-correction: the largest probability that a bit is flipped, from 0 to 1
 * @property {number} steps in all, those done before included
 * @property {number} sampleEvery
 * @property {number} saveEvery
 */
/**
 * What is learned: captions and their pictures one behind the other, four bytes a pixel, or a part of the composed data set, whose
 * drawings are at an address.
 * @typedef {{ captions: string[], rgba: Uint8Array } | { part: string, drawings: string }} TrainingData
 */
/** @typedef {{ type: "studying", step: number, parameters: number, newWords: string[], prompts: string[] }} TrainingReady */
/**
 * One step is done. Loss in nats per bit and the share of right bits, of this batch, in all and for every scale.
 * @typedef {{ type: "step", step: number, of: number, loss: number, accuracy: number, losses: number[], accuracies: number[], gradNorm: number, ms: number, fallbacks: Fallback[] }} Step
 */
/** @typedef {{ type: "sampled", step: number, index: number, of: number, prompt: string, image: Pixels }} Sampled */
/** The browser does not keep checkpoints, so the next `saved` one lasts as long as the engine. @typedef {{ type: "unkept", message: string }} Unkept */
/** A checkpoint is kept. @typedef {{ type: "saved", step: number, bytes: number }} Saved */
/** @typedef {{ type: "paused", step: number, finished: boolean }} Paused */
/** @typedef {{ name: string, bytes: Uint8Array<ArrayBuffer> }} ModelFile */
/** @typedef {{ type: "packed", files: ModelFile[] }} Packed */
/** @typedef {{ type: "forgotten" }} Forgotten */
/** @typedef {{ type: "cancelled", scales: number }} Cancelled */
/** @typedef {{ type: "error", code: import("./error.js").ErrorCode, field: string | null, message: string }} Failure */

/** @typedef {{ type: "ready", protocol: number }} Ready */
/** @typedef {{ type: "device", engine: "webgpu" | "cpu", reason: string }} DeviceChosen */
/**
 * How far loading is, engine and weights together. A total of 0 is not known; `speed` is in bytes a second and 0 while
 * nothing comes from the network; `note` says what a visitor should know, such as that a connection broke.
 * @typedef {{ type: "progress", phase: "download" | "build", loaded: number, total: number, speed: number, note: string }} Progress
 */
/** @typedef {{ type: "loaded", model: ModelInfo }} Loaded */
/** @typedef {{ type: "inspected", name: string, licence: string, bytes: number, parameters: number }} Inspected */
/** What the browser can keep of the model is kept. @typedef {{ type: "prefetched" }} Prefetched */
/**
 * Size of the wasm heap, which never shrinks, and of what the engine holds on a GPU; null on the CPU, and while that
 * is not asked.
 * @typedef {{ type: "memory", bytes: number, device: number | null }} Memory
 */
/** @typedef {{ type: "crashed", message: string }} Crashed */

/**
 * @typedef {Ready | DeviceChosen | Progress | Loaded | Inspected | Prefetched | Memory | Started | Scale | Path | Finished | Decoded | Encoded
 *   | Compared | Cancelled | TrainingReady | Step | Sampled | Unkept | Saved | Paused | Packed | Forgotten | Failure | Crashed} EngineEvent
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

/**
 * The format in which a GPU keeps the weights of layers: f32, f16, or quantized in blocks to 8 or 4 bits. The CPU engine keeps f32.
 * @typedef {"f32" | "f16" | "q8" | "q4"} Weights
 */
/** @typedef {{ type: "load", source: Source, engine: EngineChoice, cache: boolean, weights: Weights }} LoadCommand */
/** @typedef {{ type: "inspect", source: Source }} InspectCommand */
/** Fetches what generating did not need, for visits without a connection. @typedef {{ type: "prefetch", source: Source }} PrefetchCommand */
/** @typedef {{ type: "loadBaseline", path: string }} LoadBaselineCommand */
/** @typedef {{ type: "freeBaseline" }} FreeBaselineCommand */
/** Which of the loaded networks. @typedef {"model" | "baseline"} Network */
/** @typedef {{ type: "generate", options: Options, by: Network }} GenerateCommand */
/** @typedef {{ type: "decode", aspect: string, bits: Words[] }} DecodeCommand */
/** @typedef {{ type: "encode", aspect: string, rgba: Uint8Array }} EncodeCommand */
/** @typedef {{ type: "flip", subject: Subject, flips: Flips }} FlipCommand */
/** @typedef {{ type: "cancel" }} CancelCommand */
/** Sets a training up, or takes the kept one up again. @typedef {{ type: "begin", config: TrainConfig, data: TrainingData, resume: boolean }} BeginCommand */
/** @typedef {{ type: "train", schedule: TrainSchedule }} TrainCommand */
/** @typedef {{ type: "pack", name: string }} PackCommand */
/** Deletes the kept training. @typedef {{ type: "forget" }} ForgetCommand */
/**
 * @typedef {LoadCommand | LoadBaselineCommand | FreeBaselineCommand | InspectCommand | PrefetchCommand | GenerateCommand | DecodeCommand | EncodeCommand
 *   | FlipCommand | BeginCommand | TrainCommand | PackCommand | ForgetCommand | CancelCommand} Command
 */
