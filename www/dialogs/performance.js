// How fast it was: loading, the first image and the last one scale by scale, memory. To read, and to copy as JSON.

import { element, make } from "../ui/dom.js";
import { count, duration, megabytes } from "../ui/format.js";

/**
 * @typedef {object} Figures
 * @property {string} model
 * @property {string} engine
 * @property {string} reason why this engine
 * @property {number} loadMs
 * @property {number} loadedBytes
 * @property {number} wasmHeapBytes the most that the engine's heap has been
 * @property {number} loadHeapBytes the most that it was when the model was loaded
 * @property {number | null} loadHeapBound what that should not exceed on WebGPU; on the CPU the weights themselves lie there
 * @property {number} deviceBytes what the engine holds on the GPU
 * @property {import("../engine/client.js").EngineClient["fallbacks"]} fallbacks what ran as a reference implementation because no kernel fitted
 * @property {Run | null} firstImage since the model was loaded, which compiles kernels
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

const ENGINES = { webgpu: "WebGPU", cpu: "CPU" };
/** What the heap may take up while a model is loaded onto WebGPU, besides one shard. */
const HEAP_ROOM = 64e6;

export class PerformanceDialog {
  #dialog = element("performance", HTMLDialogElement);
  /** @type {Figures} */
  figures = {
    model: "", engine: "", reason: "", loadMs: 0, loadedBytes: 0, wasmHeapBytes: 0, loadHeapBytes: 0, loadHeapBound: null,
    deviceBytes: 0, fallbacks: { image: null, step: null }, firstImage: null, lastImage: null, browser: navigator.userAgent,
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

  /** @param {import("../engine/protocol.js").EngineEvent} event of loading */
  loading(event) {
    if (event.type === "device") Object.assign(this.figures, { engine: ENGINES[event.engine], reason: event.reason });
    if (event.type === "progress") this.figures.loadedBytes = event.loaded;
  }

  /**
   * A model is there.
   * @param {import("../engine/protocol.js").ModelInfo} model
   * @param {import("../engine/client.js").EngineClient} client
   * @param {"webgpu" | "cpu" | undefined} engine
   * @param {number} ms
   */
  loaded({ name, shard }, client, engine, ms) {
    const loadHeapBound = engine === "webgpu" ? shard + HEAP_ROOM : null;
    Object.assign(this.figures, { model: name, loadMs: ms, loadHeapBytes: client.memory, loadHeapBound, firstImage: null, lastImage: null });
    this.measure(client);
  }

  /**
   * The engine has done something.
   * @param {import("../engine/client.js").EngineClient} client
   */
  measure(client) {
    Object.assign(this.figures, { wasmHeapBytes: client.memory, deviceBytes: client.deviceMemory, fallbacks: client.fallbacks });
  }

  /**
   * An image is finished.
   * @param {import("../image/result.js").ImageResult} result
   * @param {number} ms
   */
  ran({ scales }, ms) {
    const tokens = scales.reduce((sum, { height, width }) => sum + height * width, 0);
    const run = {
      firstScaleMs: scales[0]?.ms ?? 0,
      totalMs: ms,
      tokens,
      tokensPerSecond: (1000 * tokens) / ms,
      scales: scales.map(({ height, width, ms }) => ({ height, width, ms })),
    };
    this.figures.firstImage ??= run;
    this.figures.lastImage = run;
  }

  #show() {
    const { figures } = this;
    const { firstImage, lastImage: run, loadHeapBytes, loadHeapBound, deviceBytes } = figures;
    const loading = loadHeapBound
      ? `${megabytes(loadHeapBytes)} of at most ${megabytes(loadHeapBound)} MB, its largest shard and 64 MB`
      : `${megabytes(loadHeapBytes)} MB, in which the CPU engine keeps the weights`;
    /** @type {[string, string][]} */
    const lines = [
      ["Engine", figures.engine && `${figures.engine}: ${figures.reason}`],
      ["Loading", figures.loadMs ? `${duration(figures.loadMs)} for ${megabytes(figures.loadedBytes)} MB` : ""],
      ["Peak heap while loading", loadHeapBytes ? loading : ""],
      ["Peak heap until now", figures.wasmHeapBytes ? `${megabytes(figures.wasmHeapBytes)} MB` : ""],
      ["GPU memory", figures.loadMs ? (deviceBytes ? `${megabytes(deviceBytes)} MB` : "none on the CPU engine") : ""],
      ["Kernel fallbacks, last image", counted(figures.fallbacks.image)],
      ["Kernel fallbacks, last training step", counted(figures.fallbacks.step)],
      ["First image, cold", firstImage ? `${duration(firstImage.totalMs)}, its first scale ${duration(firstImage.firstScaleMs)}` : ""],
      ["Last image, warm", run && run !== firstImage ? `${duration(run.totalMs)}, its first scale ${duration(run.firstScaleMs)}` : ""],
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

/**
 * Fallbacks in words; nothing where none were counted yet.
 * @param {import("../engine/protocol.js").Fallback[] | null} fallbacks
 */
function counted(fallbacks) {
  if (!fallbacks) return "";
  const total = fallbacks.reduce((sum, { count }) => sum + count, 0);
  return total ? `${total}: ${fallbacks.map(({ op, reason, count }) => `${count} × ${op} (${reason})`).join(", ")}` : "0";
}
