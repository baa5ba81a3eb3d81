// The types of the package: what an engine takes and gives. No code.

/** @typedef {import("../engine/error.js").ErrorCode} ErrorCode */
/** @typedef {import("../engine/protocol.js").Aspect} Aspect */
/** @typedef {import("../engine/protocol.js").BitAt} BitAt */
/** @typedef {import("../engine/protocol.js").Deviation} Deviation */
/** @typedef {import("../engine/protocol.js").DeviceChosen} DeviceChosen */
/** @typedef {import("../engine/protocol.js").EngineChoice} EngineChoice */
/** @typedef {import("../engine/protocol.js").Fallback} Fallback */
/** @typedef {import("../engine/protocol.js").Flips} Flips */
/** @typedef {import("../engine/protocol.js").Inspected} Inspected */
/** @typedef {import("../engine/protocol.js").Keep} Keep */
/** @typedef {import("../engine/protocol.js").Model} Model */
/** @typedef {import("../engine/protocol.js").ModelInfo} ModelInfo */
/** @typedef {import("../engine/protocol.js").Options} Options */
/** @typedef {import("../engine/protocol.js").Progress} Progress */
/** @typedef {import("../engine/protocol.js").Source} Source */
/** @typedef {import("../engine/protocol.js").Step} Step */
/** @typedef {import("../engine/protocol.js").Treatment} Treatment */
/** @typedef {import("../engine/protocol.js").Started} Started */
/** @typedef {import("../engine/protocol.js").Words} Words */

/**
 * The image after one scale.
 * @typedef {object} Scale
 * @property {number} k which scale, from 1
 * @property {number} of so many
 * @property {number} height in tokens
 * @property {number} width in tokens
 * @property {number} ms that it took, from prediction to pixels
 * @property {Words} bits of this scale's tokens
 * @property {ImageData} image all scales so far as pixels
 * @property {boolean} final whether this is the finished image
 * @property {Deviation} [deviation] how far it is from the image `against` which it was drawn, if it was
 */

/** An image as what the model makes of it. @typedef {{ aspect: string, bits: Words[] }} Tokens */

/**
 * A picture as tokens, and how like it they are.
 * @typedef {object} Encoded
 * @property {string} aspect the shape that was nearest to its own
 * @property {Words[]} bits
 * @property {number[]} psnr likeness after every scale, in decibels
 * @property {Scale[]} scales
 * @property {ImageData} original the part of the picture that was read
 */

/**
 * @typedef {object} LoadOptions
 * @property {AbortSignal} [signal] ends the download and the engine
 * @property {(progress: Progress) => void} [onProgress]
 * @property {EngineChoice} [device] `auto` takes WebGPU where there is a GPU, the CPU otherwise
 * @property {"opfs" | "none"} [cache] whether the browser keeps the model's files; it does if left out
 * @property {string | URL} [baseUrl] the folder of worker.js and the wasm, if it is not that of this script
 */

/**
 * What an image takes; all but the prompt has a default.
 * @typedef {Omit<Options, "seed" | "aspect"> & Partial<Pick<Options, "seed" | "aspect">> & Listening} GenerateOptions
 */

/**
 * @typedef {object} Listening
 * @property {AbortSignal} [signal] ends the generation within a layer; the iterator then throws the signal's reason
 * @property {(started: Started) => void} [onStart] gets the seed, the shape and the words that the model never learned
 */

/**
 * @typedef {object} EditOptions
 * @property {number} [scales] so many first scales are kept whole, 0 if left out: composition and colors sit there
 * @property {number[]} [mask] one number per token of the finest scale, row by row; where it is 0 the picture stays
 */

/**
 * One scale of what an image's bits go through: nothing, flips with the old residuals kept, flips with later residuals quantized again.
 * @typedef {Omit<Scale, "ms"> & { path: Treatment, deviation: Deviation }} PathScale
 */

/**
 * @typedef {object} TrainOptions
 * @property {number} [steps] in all, 200 if left out
 * @property {number} [batch] pictures of a step, 4 if left out
 * @property {number} [learningRate] 0.001 if left out
 * @property {number} [flips] self-correction: the largest probability that a bit is flipped, 0.3 if left out
 * @property {number} [seed]
 * @property {boolean} [resume] whether the training that this browser keeps goes on; its pictures, batch and seed must be the same
 * @property {(sample: Sample) => void} [onSample] gets what the model draws of the captions after every so many steps and at the end
 * @property {number} [sampleEvery] so many steps, all of them if left out
 * @property {AbortSignal} [signal] ends the training after the step at hand; what was learned until then can be taken with `trained`
 */

/** What a model in training draws of one of its captions. @typedef {{ step: number, index: number, of: number, prompt: string, image: ImageData }} Sample */

/**
 * What this browser offers.
 * @typedef {object} Support
 * @property {"webgpu" | "cpu" | null} device that `auto` would take; null if the engine cannot run here
 * @property {boolean} webgpu whether WebGPU can run
 * @property {boolean} software whether WebGPU would compute on the CPU after all
 * @property {string} reason in a few words
 * @property {string[]} shortfalls one sentence each
 */

export {};
