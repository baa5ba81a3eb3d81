// What can be done from the shown scale of a finished image: keep all up to it, or generate anew from it on.

import { element } from "../ui/dom.js";

export class ScaleTools {
  #frame;
  #edit;
  #tools = element("scale-tools", HTMLElement);
  #lock = element("lock", HTMLButtonElement);
  #reroll = element("reroll", HTMLButtonElement);

  /**
   * @param {import("../image/frame.js").ImageFrame} frame
   * @param {import("./edit-controls.js").EditControls} edit
   * @param {(result: import("../image/result.js").ImageResult, kept: number) => void} reroll generates anew all but the first `kept` scales
   */
  constructor(frame, edit, reroll) {
    this.#frame = frame;
    this.#edit = edit;
    this.#lock.addEventListener("click", () => {
      if (frame.result) edit.keep(edit.scales === frame.shown ? 0 : frame.shown);
    });
    this.#reroll.addEventListener("click", () => {
      if (frame.result?.finished) reroll(frame.result, frame.shown - 1);
    });
  }

  /** @param {boolean} idle whether the engine is free */
  enable(idle) {
    this.#reroll.disabled = !idle;
  }

  refresh() {
    const { result, shown } = this.#frame;
    this.#tools.hidden = !result?.finished;
    const kept = this.#edit.scales === shown;
    this.#lock.setAttribute("aria-pressed", String(kept));
    this.#lock.textContent = kept ? "Kept to here" : "Keep to here";
    this.#lock.disabled = shown === result?.aspect.scales.length; // nothing would be left to generate
  }
}
