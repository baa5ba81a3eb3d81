// How fast it was: loading, the last image scale by scale, memory. To read, and to copy as JSON.

import { element, make } from "./dom.js";
import { count, duration, megabytes } from "./format.js";

/**
 * @typedef {object} Figures
 * @property {string} model
 * @property {string} engine
 * @property {string} reason why this engine
 * @property {number} loadMs
 * @property {number} loadedBytes
 * @property {number} wasmHeapBytes
 * @property {Run | null} lastImage
 * @property {string} browser
 */

/**
 * @typedef {object} Run
 * @property {number} firstScaleMs
 * @property {number} totalMs
 * @property {number} tokens
 * @property {number} tokensPerSecond
 * @property {{ height: number, width: number, ms: number }[]} scales
 */

export class PerformanceDialog {
  #dialog = element("performance", HTMLDialogElement);
  /** @type {Figures} */
  figures = {
    model: "", engine: "", reason: "", loadMs: 0, loadedBytes: 0, wasmHeapBytes: 0, lastImage: null,
    browser: navigator.userAgent,
  };

  constructor() {
    element("performance-open", HTMLButtonElement).addEventListener("click", () => {
      this.#show();
      this.#dialog.showModal();
    });
    element("performance-close", HTMLButtonElement).addEventListener("click", () => this.#dialog.close());
    const copy = element("performance-copy", HTMLButtonElement);
    copy.addEventListener("click", async () => {
      const json = JSON.stringify(this.figures, null, 2);
      const copied = await navigator.clipboard?.writeText(json).then(() => true, () => false);
      copy.textContent = copied ? "Copied" : "The browser does not allow copying";
      setTimeout(() => (copy.textContent = "Copy as JSON"), 2000);
    });
  }

  /**
   * A drawing came to its end.
   * @param {import("./drawing.js").Drawing} drawing
   * @param {number} ms
   */
  ran({ scales }, ms) {
    const tokens = scales.reduce((sum, { height, width }) => sum + height * width, 0);
    this.figures.lastImage = {
      firstScaleMs: scales[0]?.ms ?? 0,
      totalMs: ms,
      tokens,
      tokensPerSecond: (1000 * tokens) / ms,
      scales: scales.map(({ height, width, ms }) => ({ height, width, ms })),
    };
  }

  #show() {
    const { figures } = this;
    const run = figures.lastImage;
    /** @type {[string, string][]} */
    const lines = [
      ["Engine", figures.engine && `${figures.engine}: ${figures.reason}`],
      ["Loading", figures.loadMs ? `${duration(figures.loadMs)} for ${megabytes(figures.loadedBytes)} MB` : ""],
      ["Heap of the engine", figures.wasmHeapBytes ? `${megabytes(figures.wasmHeapBytes)} MB` : ""],
      ["First scale", run ? duration(run.firstScaleMs) : ""],
      ["Whole image", run ? duration(run.totalMs) : ""],
      ["Tokens", run ? `${count(run.tokens)}, ${run.tokensPerSecond.toFixed(1)} a second` : ""],
    ];
    element("performance-figures", HTMLElement).replaceChildren(
      ...lines.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", { class: "number" }, value || "not yet"))),
    );
    const slowest = Math.max(1, ...(run?.scales ?? []).map(({ ms }) => ms));
    element("performance-scales", HTMLElement).replaceChildren(
      ...(run?.scales ?? []).map(({ height, width, ms }) => {
        const bar = make("span", { class: "bar" });
        bar.style.setProperty("--part", String(ms / slowest));
        return make("li", { class: "number" }, make("span", {}, `${height}×${width}`), bar, make("span", {}, duration(ms)));
      }),
    );
  }
}
