// How far the engine and the model are: over the empty frame, and in the lines below it.

import { element } from "../ui/dom.js";
import { megabytes } from "../ui/format.js";
import { ENGINES } from "./tasks.js";

const PHASES = { download: "Loading the model", build: "Building the networks" };

export class LoadingView {
  #frame;
  #lines;
  #retry = element("retry", HTMLButtonElement);

  /**
   * @param {import("../image/viewer.js").Viewer} viewer
   * @param {() => void} retry called when the visitor wants to try again
   */
  constructor({ frame, lines }, retry) {
    this.#frame = frame;
    this.#lines = lines;
    this.#retry.addEventListener("click", retry);
  }

  starting() {
    this.#retry.hidden = true;
    this.#lines.engine = "";
    this.#frame.cover("Starting the engine", {});
  }

  /** @param {import("../engine/protocol.js").EngineEvent} event */
  progress(event) {
    if (event.type === "device") this.#lines.engine = `${ENGINES[event.engine]} engine: ${event.reason}.`;
    if (event.type !== "progress") return;
    const { loaded, total, speed } = event;
    const amount = total > 0 ? `${megabytes(loaded)} of ${megabytes(total)} MB` : `${megabytes(loaded)} MB`;
    const detail = speed > 0 ? `${amount}, ${megabytes(speed)} MB/s` : amount;
    this.#frame.cover(PHASES[event.phase], { detail, ...(event.phase === "download" && total > 0 && { fraction: loaded / total }) });
    if (this.#frame.result) this.#lines.status = `${PHASES[event.phase]}: ${detail}`;
    this.#lines.note = event.note;
  }

  done() {
    this.#frame.cover("Type a prompt and press Generate");
  }

  /** @param {string} status */
  failed(status) {
    this.#frame.cover("The model is not loaded");
    this.#retry.hidden = false;
    this.#lines.status = status;
  }
}
