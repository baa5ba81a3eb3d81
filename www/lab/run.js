// One run of the lab: flips bits of an image, shows the three paths of its tokens, and lets the transformers go on from the flips.

import { EngineError, isCrash } from "../engine/error.js";
import { element } from "../ui/dom.js";
import { megabytes, sentence } from "../ui/format.js";
import { flippedScales } from "./flip-form.js";
import { GENERATED } from "./rows.js";

/** @typedef {import("../engine/client.js").EngineClient} EngineClient */
/** @typedef {import("../engine/protocol.js").Flips} Flips */
/** @typedef {import("../engine/protocol.js").Network} Network */
/** @typedef {import("../engine/protocol.js").Scale} Scale */
/** @typedef {import("../image/result.js").ImageResult} ImageResult */

/** Stop was pressed. */
class Stopped extends Error {}

export class LabRun {
  #paths;
  #summary;
  #status = element("lab-status", HTMLElement);
  #goOn = element("lab-model", HTMLInputElement);
  #baseline = element("lab-baseline", HTMLInputElement);
  #prompt = element("lab-prompt", HTMLInputElement);
  #stopped = false;
  /** What a transformer generates without flips, by where it begins and its prompt. @type {Map<string, Scale[]>} */
  #undisturbed = new Map();

  /** The flips that are shown. @type {Flips | undefined} */
  flips;
  /** Where the baseline of the loaded model is. @type {string | null} */
  baselinePath = null;
  baselineLoaded = false;
  /** Called with a sentence about what is wrong. @type {(message: string) => void} */
  onerror = () => {};

  /**
   * @param {import("./paths.js").Paths} paths
   * @param {import("./summary.js").Summary} summary
   */
  constructor(paths, summary) {
    this.#paths = paths;
    this.#summary = summary;
  }

  /** Another image or model: nothing that was generated before belongs to it. */
  forget() {
    this.#undisturbed.clear();
  }

  /** Nothing further is begun. */
  stop() {
    this.#stopped = true;
  }

  /**
   * @param {EngineClient} client
   * @param {ImageResult} result whose bits are flipped
   * @param {Flips} flips
   * @param {string} what they are
   */
  async run(client, result, flips, what) {
    this.#stopped = false;
    this.flips = flips;
    for (const id of GENERATED) this.#paths.clear(id);
    const damaged = flippedScales(flips);
    const [first = 0] = damaged;
    const { row, k } = this.#paths.chosen;
    this.#paths.choose(["flipped", "requantised"].includes(row) && !flips.single ? row : "flipped", damaged.includes(k) ? k : first || k);
    try {
      await this.#flip(client, result, flips, what);
      if (first && this.#goOn.checked) await this.#goOnFrom(client, "model", result, flips, first);
      if (first && this.#baseline.checked) {
        if (!this.baselineLoaded) await this.#loadBaseline(client);
        await this.#goOnFrom(client, "baseline", result, flips, first);
      }
      this.#status.textContent = `${what}: ${this.#summary.verdict()}`;
    } catch (error) {
      if (error instanceof Stopped) {
        this.#status.textContent = "Stopped.";
        return;
      }
      if (!(error instanceof EngineError) || isCrash(error) || error.code === "disposed") throw error;
      this.onerror(sentence(error.message));
      this.#status.textContent = "";
    }
  }

  /**
   * @param {EngineClient} client
   * @param {ImageResult} result
   * @param {Flips} flips
   * @param {string} what
   */
  async #flip(client, { original, aspect, bits }, flips, what) {
    this.#status.textContent = "Flipping.";
    const subject = original ? { aspect: aspect.name, rgba: new Uint8Array(original.data) } : { aspect: aspect.name, bits };
    const end = await client.flip(subject, flips, (event) => {
      if (event.type === "progress") this.#status.textContent = "Loading the image encoder.";
      if (event.type !== "path") return;
      this.#paths.set(event.path, event);
      this.#summary.show(aspect.scales, flips);
      this.#status.textContent = `${what}: scale ${event.k} of ${event.of}.`;
    });
    this.#check(end);
  }

  /**
   * Has a transformer generate the rest of the image from its own scales up to the first with flips: without flips, unless that is
   * known, and with them.
   * @param {EngineClient} client
   * @param {Network} by
   * @param {ImageResult} result
   * @param {Flips} flips
   * @param {number} first scale with flips, from 1
   */
  async #goOnFrom(client, by, result, flips, first) {
    const prompt = this.#prompt.value.trim();
    if (!prompt) {
      this.onerror("The transformer has no prompt; say what the image shows, or let it not go on.");
      return;
    }
    const who = by === "model" ? "The transformer" : "The baseline";
    const { aspect, bits } = result;
    const options = { seed: 1, ...result.options, prompt, aspect: aspect.name, keep: { bits: bits.slice(0, first), scales: first } };
    const key = JSON.stringify([by, first, prompt]);
    let clean = this.#undisturbed.get(key);
    if (!clean) {
      /** @type {Scale[]} */
      const generated = [];
      const end = await client.generate(options, (event) => {
        if (event.type !== "scale") return;
        generated.push(event);
        this.#paths.set(`${by}-clean`, event);
        this.#status.textContent = `${who} without flips: scale ${event.k} of ${event.of}.`;
      }, by);
      this.#check(end);
      this.#undisturbed.set(key, (clean = generated));
    }
    for (const scale of clean) this.#paths.set(`${by}-clean`, scale);
    const against = clean.map(({ bits }) => bits);
    const end = await client.generate({ ...options, flips, against }, (event) => {
      if (event.type !== "scale") return;
      this.#paths.set(by, event);
      this.#summary.show(aspect.scales, flips);
      this.#status.textContent = `${who} goes on: scale ${event.k} of ${event.of}.`;
    }, by);
    this.#check(end);
  }

  /** @param {EngineClient} client */
  async #loadBaseline(client) {
    if (!this.baselinePath) return;
    await client.loadBaseline(this.baselinePath, (event) => {
      if (event.type !== "progress") return;
      const amount = event.total > 0 ? `${megabytes(event.loaded)} of ${megabytes(event.total)} MB` : `${megabytes(event.loaded)} MB`;
      this.#status.textContent = `Loading the baseline: ${amount}.`;
    });
    this.baselineLoaded = true;
  }

  /** @param {{ type: string }} end of a command */
  #check({ type }) {
    if (this.#stopped || type === "cancelled") throw new Stopped();
  }
}
