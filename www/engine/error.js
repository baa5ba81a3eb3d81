// The one error of the engine, from whichever side it comes.

/**
 * What went wrong, for programs:
 *
 * | code | what |
 * |---|---|
 * | `prompt-empty`, `prompt-too-long`, `prompt-unknown` | there is nothing to read, too much, or no word that the model knows |
 * | `options` | another option is out of range or unknown; `field` names it |
 * | `bits` | given bits, or what is to be kept of them, are of another model or shape |
 * | `picture` | the picture cannot be read, or has another size than its shape |
 * | `busy` | the engine is at work, as it does one thing at a time; or another tab has a training open |
 * | `not-loaded` | the model is not there yet |
 * | `source` | the name or the address of the model leads nowhere |
 * | `download`, `engine-download` | the model, or the engine itself, could not be downloaded |
 * | `weights` | a file of the model is damaged, missing or of another model |
 * | `model` | the model's numbers do not fit together |
 * | `unsupported` | this browser cannot run the engine at all |
 * | `no-webgpu` | WebGPU was asked for by name and cannot run |
 * | `device` | WebGPU, or the CPU engine, could not start |
 * | `device-lost` | the GPU device was lost while at work; load again |
 * | `training` | nothing can be learned with these settings or pictures, or no training is set up |
 * | `checkpoint` | the kept training is gone or belongs to other settings |
 * | `storage` | the browser did not keep the training |
 * | `out-of-memory` | the engine needed more memory than there is, and ended; take a smaller model |
 * | `crashed` | the engine's thread ended or never started; load again |
 * | `disposed` | `dispose()` was called |
 * | `protocol` | the files of the engine are of different versions; a cache mixes them |
 *
 * @typedef {"prompt-empty" | "prompt-too-long" | "prompt-unknown" | "options" | "bits" | "picture" | "busy" | "not-loaded" | "source"
 *   | "download" | "engine-download" | "weights" | "model" | "unsupported" | "no-webgpu" | "device" | "device-lost" | "training"
 *   | "checkpoint" | "storage" | "out-of-memory" | "crashed" | "disposed" | "protocol"} ErrorCode
 */

/** What ends the engine by itself: only another one helps. @type {ErrorCode[]} */
const CRASHES = ["crashed", "out-of-memory", "device-lost"];
/** How browsers say that memory ran out: of the wasm's heap, of the page, of the GPU. */
const MEMORY =
  /out of (?:device )?memory|can't allocate buffer|out of bounds memory access|memory access out of bounds|RangeError.*(?:alloc|memory|array buffer)/i;

/**
 * What has ended the engine's thread, as an error.
 * @param {string} reason
 */
export function crash(reason) {
  if (!MEMORY.test(reason)) return new EngineError("crashed", reason);
  return new EngineError("out-of-memory", `the engine ran out of memory (${reason}); take a smaller model, or the other engine`);
}

/** Whether the engine has ended by itself. @param {unknown} error @returns {boolean} */
export const isCrash = (error) => error instanceof EngineError && CRASHES.includes(error.code);

/** Its message says what went wrong and, after a semicolon, what to do. */
export class EngineError extends Error {
  /**
   * @param {ErrorCode} code
   * @param {string} message
   * @param {string | null} [field]
   */
  constructor(code, message, field = null) {
    super(message);
    this.name = "EngineError";
    this.code = code;
    /** The option at fault, if one is. */
    this.field = field;
  }
}
