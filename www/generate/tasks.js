// What the Draw panel has the engine do: generate from a prompt, read a picture into tokens, decode tokens.

import { fitToAspect } from "../image/fit-to-aspect.js";
import { ImageResult } from "../image/result.js";
import { SHARED, ShareError, decodeShare } from "../image/share-link.js";
import { decibels, duration } from "../ui/format.js";

/** @typedef {import("../engine/client.js").EngineClient} EngineClient */
/** @typedef {import("../engine/protocol.js").Options} Options */
/** @typedef {import("../image/history.js").Entry} Entry */

/** How the page calls the engines. */
export const ENGINES = { webgpu: "WebGPU", cpu: "CPU" };

export class ImageTasks {
  #session;
  #viewer;
  #form;
  #stopped = false;

  /** Called when an image was generated, with the milliseconds that it took. @type {(result: ImageResult, ms: number) => void} */
  ongenerated = () => {};
  /** Called when an image is finished. */
  onfinished = () => {};

  /**
   * @param {import("../engine/session.js").Session} session
   * @param {import("../image/viewer.js").Viewer} viewer
   * @param {import("./options-form.js").OptionsForm} form
   */
  constructor(session, viewer, form) {
    this.#session = session;
    this.#viewer = viewer;
    this.#form = form;
  }

  /** No further image of a batch is begun. */
  stop() {
    this.#stopped = true;
  }

  /**
   * Generates one image or a batch.
   * @param {EngineClient} client
   * @param {Options} options
   * @param {number} count
   */
  async generate(client, options, count) {
    const { lines } = this.#viewer;
    const engine = ENGINES[this.#session.engine ?? "cpu"];
    this.#stopped = false;
    for (let i = 0; i < count && !this.#stopped; i++) {
      const seed = options.seed + i;
      const end = await this.#generateOne(client, { ...options, seed }, i, count);
      if (end.type === "cancelled") {
        lines.status = `Stopped after scale ${end.scales}.`;
        return;
      }
      lines.status = `${engine}, seed ${seed}, ${duration(end.ms)} in all`;
    }
    if (count > 1 && !this.#stopped) lines.status = `${engine}, seeds ${options.seed} to ${options.seed + count - 1}; choose one`;
  }

  /**
   * @param {EngineClient} client
   * @param {Options} options
   * @param {number} i of the batch
   * @param {number} count
   */
  async #generateOne(client, options, i, count) {
    const { frame, lines, batch, actions } = this.#viewer;
    /** @type {ImageResult | undefined} */
    let result;
    const end = await client.generate(options, (event) => {
      if (event.type === "started") {
        const { prompt, seed, aspect } = event;
        const { keep, ...plain } = options;
        result = new ImageResult({ origin: "drawn", prompt, seed, aspect, bitsPerToken: this.#session.model?.bits ?? 0, options: plain });
        if (i === 0) batch.begin(count);
        if (count === 1 || batch.shown) this.#viewer.show(result, true);
        const words = event.unknownWords.map((word) => `“${word}”`).join(", ");
        lines.note = words && `The model has not learned ${words}; it draws the rest.`;
        lines.status = "Drawing.";
      } else if (event.type === "scale" && result) {
        result.scales.push(event);
        this.#viewer.grow(result);
        if (frame.result === result) actions.allowPng();
        if (count > 1) batch.grow(i, result);
        const which = count > 1 ? `Image ${i + 1} of ${count}, scale` : "Scale";
        lines.status = `${which} ${event.k} of ${event.of} in ${duration(event.ms)}`;
      }
    });
    if (end.type === "finished" && result) {
      this.ongenerated(result, end.ms);
      this.#finish(result, options.keep !== undefined);
    }
    return end;
  }

  /**
   * @param {ImageResult} result
   * @param {boolean} edited
   */
  #finish(result, edited) {
    if (!this.#session.model) return;
    this.#viewer.finish(result, this.#session.model, edited);
    this.onfinished();
  }

  /**
   * Reads a picture into tokens.
   * @param {EngineClient} client
   * @param {Blob} file
   */
  async read(client, file) {
    const { model } = this.#session;
    const { lines, batch } = this.#viewer;
    if (!model) return;
    const { aspect, pixels } = await fitToAspect(file, model.aspects).catch(() => {
      throw new ShareError("This file is no image that the browser can read; try a PNG or JPEG.");
    });
    this.#form.choose(aspect.name);
    lines.status = "Reading the image.";
    const result = new ImageResult({ origin: "read", prompt: "", seed: null, aspect, options: null, bitsPerToken: model.bits });
    result.original = pixels;
    batch.begin(1);
    const end = await client.encode(aspect.name, new Uint8Array(pixels.data), (event) => {
      if (event.type === "progress") lines.status = "Loading the image encoder.";
      this.#receive(result, event);
    });
    if (end.type !== "encoded") return;
    result.psnr = end.psnr;
    this.#finish(result, false);
    const tokens = result.scales.reduce((sum, { height, width }) => sum + height * width, 0);
    lines.status = `Read into ${tokens} tokens, rebuilt at ${decibels(end.psnr.at(-1) ?? 0)}`;
  }

  /**
   * Decodes an image from its bits.
   * @param {EngineClient} client
   * @param {Pick<Entry, "origin" | "prompt" | "seed" | "options" | "aspect" | "bits">} image
   */
  async #decode(client, { origin, prompt, seed, options, aspect: name, bits }) {
    const { model } = this.#session;
    const aspect = model?.aspects.find((aspect) => aspect.name === name);
    if (!model || !aspect) throw new ShareError("This model has no such shape.");
    const result = new ImageResult({ origin, prompt, seed, aspect, options, bitsPerToken: model.bits });
    this.#form.choose(name);
    await client.decode(name, bits, (event) => this.#receive(result, event));
    if (result.finished) this.#viewer.show(result);
    return result;
  }

  /**
   * @param {ImageResult} result
   * @param {import("../engine/protocol.js").EngineEvent} event
   */
  #receive(result, event) {
    if (event.type !== "scale") return;
    if (event.k === 1) this.#viewer.show(result, true);
    result.scales.push(event);
    this.#viewer.grow(result);
  }

  /**
   * Decodes an earlier image.
   * @param {EngineClient} client
   * @param {Entry} entry
   */
  async reopen(client, entry) {
    if (entry.codec !== this.#session.model?.codec) {
      throw new ShareError(`This image was made by another model (${entry.model}); load that one to see it again.`);
    }
    this.#viewer.batch.begin(1);
    const result = await this.#decode(client, entry);
    if (entry.options) this.#form.write(entry.options);
    this.#viewer.lines.status = result.seed === null ? result.title : `${result.title}, seed ${result.seed}`;
  }

  /** Decodes the image in the page's own address. @param {EngineClient} client */
  async openLink(client) {
    const { model } = this.#session;
    if (!model) return;
    const shared = decodeShare(location.hash.slice(SHARED.length), model);
    this.#viewer.batch.begin(1);
    const result = await this.#decode(client, { ...shared, origin: "shared", prompt: "", options: null });
    if (shared.seed !== null) this.#form.seed.set(shared.seed);
    this.#viewer.lines.status = "This image came whole in the link.";
    if (result.finished) this.#finish(result, false);
  }
}
