// The Self-correction panel: takes the image of the frame, flips bits of it, and shows how each path from them ends.

import { element } from "../ui/dom.js";
import { paint, picture } from "../image/result.js";
import { sentence } from "../ui/format.js";
import { showExperiment } from "./experiment.js";
import { FlipForm } from "./flip-form.js";
import { Paths } from "./paths.js";
import { LabRun } from "./run.js";
import { ImageSource } from "./source.js";
import { Summary } from "./summary.js";
import { TokenMap } from "./token-map.js";

/** @typedef {import("../engine/panel.js").Panel} Panel */
/** @typedef {import("../engine/protocol.js").Flips} Flips */
/** @typedef {import("../image/result.js").ImageResult} ImageResult */

/** @implements {Panel} */
export class LabPanel {
  #session;
  #source;
  #paths = new Paths(() => this.#map.look(this.#paths.close));
  #map = new TokenMap((bit) => this.#flipOne(bit));
  #summary = new Summary(this.#paths);
  #run = new LabRun(this.#paths, this.#summary);
  #form = new FlipForm(() => this.#flipMany());
  #section = element("lab", HTMLElement);
  #alert = element("lab-alert", HTMLElement);
  #status = element("lab-status", HTMLElement);
  #said = element("lab-said", HTMLElement);
  #baseline = element("lab-baseline", HTMLInputElement);
  #prompt = element("lab-prompt", HTMLInputElement);
  #flip = element("lab-start", HTMLButtonElement);
  /** @type {import("../engine/protocol.js").ModelInfo | undefined} */
  #model;
  /** In the frame of the Draw panel. @type {ImageResult | undefined} */
  #offered;
  /** In this panel. @type {ImageResult | undefined} */
  #taken;
  #experimentShown = false;
  /** What was asked for last: who clicks faster than the engine ends gets the last of it. @type {[Flips, string] | undefined} */
  #asked;

  /**
   * @param {import("../engine/session.js").Session} session
   * @param {import("./source.js").Page} page
   */
  constructor(session, page) {
    this.#session = session;
    this.#source = new ImageSource(page);
    this.#source.onerror = (message) => this.fail(message);
    this.#run.onerror = (message) => this.fail(message);
    element("lab-stop", HTMLButtonElement).addEventListener("click", () => session.stop());
    this.#baseline.addEventListener("change", () => {
      if (!this.#baseline.checked) void this.#forgetBaseline();
    });
  }

  /** An image is in the frame of the Draw panel. @param {ImageResult} result */
  offer(result) {
    if (result === this.#offered || !result.finished) return;
    this.#offered = result;
    this.#run.forget();
    if (!this.#section.hidden) this.#take();
    this.#enable();
  }

  // The contract of panels.

  /**
   * @param {import("../engine/protocol.js").ModelInfo} model
   * @param {import("../engine/protocol.js").Source} source
   */
  fill(model, source) {
    // Bits of another tokenizer mean nothing here.
    if (model.codec !== this.#model?.codec) this.#offered = undefined;
    this.#model = model;
    this.#source.examples = model.examples;
    this.#run.baselinePath = model.twin;
    this.#run.baselineLoaded = false;
    this.#run.forget();
    this.#baseline.checked = false;
    // The files that a browser is given of a folder do not say which of them lie in the baseline's.
    const local = Array.isArray(source);
    this.#baseline.disabled = model.twin === null || local;
    element("lab-baseline-said", HTMLElement).textContent = model.twin === null
      ? "This model has no baseline that was trained without self-correction."
      : local
      ? "The baseline of a model from this device cannot be reached; load the model by the address of its manifest.json."
      : "The same model trained without self-correction; it is loaded with the next flips.";
    this.#enable();
  }

  /** @param {import("../engine/panel.js").State} state */
  state(state) {
    if (state === "drawing") this.fail("");
    this.#enable();
  }

  /** @param {boolean} visible */
  show(visible) {
    if (visible) {
      this.#take();
      if (!this.#experimentShown) void showExperiment();
      this.#experimentShown = true;
    } else if (this.#baseline.checked || this.#run.baselineLoaded) {
      this.#baseline.checked = false;
      void this.#forgetBaseline();
    }
  }

  stop() {
    this.#run.stop();
  }

  /** @param {string} message empty to clear */
  fail(message) {
    this.#alert.textContent = message;
    this.#alert.hidden = message === "";
  }

  #enable() {
    const ready = ["idle", "drawing"].includes(this.#session.state);
    this.#flip.disabled = !ready || !this.#offered;
    element("lab-stop", HTMLButtonElement).disabled = this.#session.state !== "drawing";
    this.#source.enable(ready);
  }

  /** Takes over the image that is offered. */
  #take() {
    const result = this.#offered;
    if (!result || this.#taken === result) return;
    this.#taken = result;
    const { aspect, scales, bitsPerToken } = result;
    const last = scales.at(-1);
    if (last) paint(element("lab-image", HTMLCanvasElement), result.original ?? picture(last));
    element("lab-image", HTMLCanvasElement).setAttribute("aria-label", result.title);
    this.#said.textContent = sentence(result.seed === null ? result.title : `${result.title}, seed ${result.seed}`);
    this.#prompt.value = result.prompt || this.#prompt.value;
    this.#run.flips = undefined;
    this.#paths.begin(aspect, bitsPerToken);
    this.#map.fit(bitsPerToken);
    for (const scale of scales) this.#paths.set("clean", scale);
    this.#paths.choose("clean", Math.min(3, scales.length));
    this.#form.offer(aspect.scales);
    this.#summarize();
    this.#status.textContent = "Choose which bits to flip and press Flip, or click a cell of the map.";
  }

  #flipMany() {
    if (this.#flip.disabled) return;
    const { flips, what, error } = this.#form.read();
    this.fail(error);
    if (flips) void this.#start(flips, what);
  }

  /** @param {import("../engine/protocol.js").BitAt} bit */
  #flipOne(bit) {
    if (this.#flip.disabled) return;
    this.#paths.view("change");
    void this.#start({ scales: [], rate: 0, seed: 0, single: [bit] }, `Bit ${bit.bit + 1} of token ${bit.token + 1} at scale ${bit.scale}`);
  }

  /**
   * @param {Flips} flips
   * @param {string} what they are
   */
  async #start(flips, what) {
    this.#asked = [flips, what];
    await this.#session.run(async (client) => {
      if (this.#taken && this.#asked) await this.#run.run(client, this.#taken, ...this.#asked);
    });
  }

  async #forgetBaseline() {
    for (const id of ["baseline", "baseline-clean"]) this.#paths.clear(id);
    this.#summarize();
    if (!this.#run.baselineLoaded) return;
    this.#run.baselineLoaded = false;
    await this.#session.run(async (client) => client.freeBaseline());
  }

  #summarize() {
    if (this.#taken) this.#summary.show(this.#taken.aspect.scales, this.#run.flips);
  }
}
