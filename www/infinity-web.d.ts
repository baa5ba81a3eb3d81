// The part of wasm-bindgen's output that the worker uses (src/web); the file itself is made by the build.
import type { EngineEvent, Options } from "./protocol.js";

/** What the engine needs from its thread. */
export interface Host {
  emit(event: EngineEvent): void;
  /** Resolves after messages that wait, such as a cancel, have been delivered. */
  breathe(): Promise<void>;
}

export default function init(input: { module_or_path: Response | Promise<Response> }): Promise<unknown>;

export function protocol(): number;

export class WebEngine {
  private constructor();
  /** Undefined when loading failed; the host has been told why. */
  static load(manifestUrl: string, device: "webgpu" | "cpu", host: Host): Promise<WebEngine | undefined>;
  generate(options: Options, host: Host): Promise<void>;
  cancel(): void;
}
