// The part of wasm-bindgen's output that the worker uses (src/web); the file itself is made by the build.
import type { EngineEvent, Flips, Options, TrainSchedule, TrainConfig, Weights, Words } from "./engine/protocol.js";

/** What the engine needs from its thread. */
export interface Host {
  /** `device` are the bytes that the engine holds on the GPU. */
  emit(event: EngineEvent, device?: number): void;
  /** Resolves after messages that wait, such as a cancel, have been delivered. */
  breathe(): Promise<void>;
}

/** Where the engine gets a model's files from. */
export interface Files {
  /** A whole file by its path from the manifest's folder; an error says why in a few words. */
  read(path: string): Promise<Uint8Array>;
}

/** Where a training's checkpoints outlive the page. */
export interface Keep {
  save(step: number, checkpoint: Uint8Array): Promise<void>;
}

export default function init(input: {
  module_or_path: Response | Promise<Response>;
}): Promise<{ memory: WebAssembly.Memory }>;

export function protocol(): number;

/** The kernel variants that autotuning chose when a model was loaded on WebGPU. */
export function tuning(): string;

export class WebEngine {
  private constructor();
  /** Undefined when loading failed; the host got the error. */
  static load(
    manifest: string,
    files: Files,
    device: "webgpu" | "cpu",
    weights: Weights,
    /** What `tuning` reported on the same GPU before, or "software". */
    tuning: string | undefined,
    host: Host,
  ): Promise<WebEngine | undefined>;
  generate(options: Options, host: Host): Promise<void>;
  decode(bits: { aspect: string; bits: Words[] }, host: Host): Promise<void>;
  /** `rgba` in the size of the shape `aspect`. */
  encode(aspect: string, rgba: Uint8Array, host: Host): Promise<void>;
  flipBits(bits: { aspect: string; bits: Words[] }, flips: Flips, host: Host): Promise<void>;
  flipPicture(aspect: string, rgba: Uint8Array, flips: Flips, host: Host): Promise<void>;
  /** The model's teacher-forced baseline on the same device; undefined when loading failed. */
  loadTwin(manifest: string, files: Files, host: Host): Promise<WebEngine | undefined>;
  /** `bytes` are the captions' pictures, or the drawings that `part` of the composed data is made of. */
  begin(
    config: TrainConfig,
    part: string | undefined,
    captions: string[],
    bytes: Uint8Array,
    checkpoint: Uint8Array | undefined,
    host: Host,
  ): Promise<void>;
  train(schedule: TrainSchedule, keep: Keep, host: Host): Promise<void>;
  pack(name: string, host: Host): Promise<void>;
  cancel(): void;
  /** Gives the memory of its networks back to the instance. */
  free(): void;
}
