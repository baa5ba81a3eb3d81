// The self-correction lab: flips bits of the image on the stage, and shows how each way to go on from them ends.

import { element, make } from "../ui/dom.js";
import { paint, picture } from "../image/drawing.js";
import { EngineError, isCrash } from "../engine/error.js";
import { decibels, megabytes, sentence } from "../ui/format.js";
import { TokenMap } from "./token-map.js";
import { Curves, figures } from "./error-curves.js";
import { showExperiment } from "./experiment.js";
import { Paths, ROWS } from "./paths.js";

/** @typedef {import("../image/drawing.js").Drawing} Drawing */
/** @typedef {import("../engine/client.js").EngineClient} EngineClient */
/** @typedef {import("../engine/protocol.js").Flips} Flips */
/** @typedef {import("../engine/protocol.js").Drawer} Drawer */
/** @typedef {import("../engine/protocol.js").Scale} Scale */

/**
 * What the lab needs of the page.
 * @typedef {object} Page
 * @property {(act: (client: EngineClient) => Promise<void>) => Promise<void>} work lets the engine do something after it has stopped
 * @property {(file: File) => void} open reads a picture onto the stage
 * @property {(prompt: string) => void} draw draws a prompt onto the stage
 * @property {() => void} stop
 */

/** A composed scene, for whoever has no picture at hand, and what it shows. */
const SAMPLE = "sample.png";
const SAMPLE_SHOWS = "a guitar to the right of a horse in a desert";
const MAX_SEED = 2 ** 53 - 1;

export class Lab {
  #page;
  #paths = new Paths(() => this.#map.look(this.#paths.close));
  #map = new TokenMap((bit) => this.#flipOne(bit));
  #curves = new Curves(element("lab-plot", HTMLElement));
  #section = element("lab", HTMLElement);
  #alert = element("lab-alert", HTMLElement);
  #status = element("lab-status", HTMLElement);
  #said = element("lab-said", HTMLElement);
  #rate = element("lab-rate", HTMLInputElement);
  #seed = element("lab-seed", HTMLInputElement);
  #seedError = element("lab-seed-error", HTMLElement);
  #goOn = element("lab-model", HTMLInputElement);
  #twin = element("lab-twin", HTMLInputElement);
  #prompt = element("lab-prompt", HTMLInputElement);
  #scales = element("lab-scales", HTMLElement);
  #flip = element("lab-flip", HTMLButtonElement);
  /** @type {import("../engine/protocol.js").ModelInfo | undefined} */
  #model;
  /** On the page's stage. @type {Drawing | undefined} */
  #drawing;
  /** On the lab's bench. @type {Drawing | undefined} */
  #taken;
  #twinLoaded = false;
  #example = 0;
  #told = false;
  #state = "loading";
  /** The flips that are shown. @type {Flips | undefined} */
  #flips;
  /** What was asked for last: who clicks faster than the engine ends gets the last of it. @type {[Flips, string] | undefined} */
  #asked;
  /** What a network draws without flips, by where it begins and what it hears. @type {Map<string, Scale[]>} */
  #undisturbed = new Map();

  /** @param {Page} page */
  constructor(page) {
    this.#page = page;
    this.#rate.addEventListener("input", () => this.#tellRate());
    element("lab-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#flipMany();
    });
    element("lab-stop", HTMLButtonElement).addEventListener("click", () => page.stop());
    const file = element("lab-file", HTMLInputElement);
    file.addEventListener("change", () => {
      const [chosen] = file.files ?? [];
      if (chosen) page.open(chosen);
      file.value = "";
    });
    element("lab-example", HTMLButtonElement).addEventListener("click", () => {
      const examples = this.#model?.examples ?? [];
      const prompt = examples[this.#example++ % Math.max(1, examples.length)] ?? "a red apple";
      this.#said.textContent = `Drawing “${prompt}”.`;
      page.draw(prompt);
    });
    element("lab-sample", HTMLButtonElement).addEventListener("click", async () => {
      const response = await fetch(SAMPLE).catch(() => undefined);
      if (response?.ok) {
        page.open(new File([await response.blob()], SAMPLE));
        this.#prompt.value = SAMPLE_SHOWS;
      } else this.fail("The sample could not be downloaded; check the connection and try again.");
    });
    this.#twin.addEventListener("change", () => {
      if (!this.#twin.checked) void this.#forgetTwin();
    });
    this.#tellRate();
  }

  /**
   * Another model is there.
   * @param {import("../engine/protocol.js").ModelInfo} model
   * @param {boolean} local whether it came as files of the visitor
   */
  fill(model, local) {
    // Bits of another tokenizer mean nothing here.
    if (model.codec !== this.#model?.codec) this.#drawing = undefined;
    this.#model = model;
    this.#twinLoaded = false;
    this.#undisturbed.clear();
    this.#twin.checked = false;
    // The files that a browser is given of a folder do not say which of them lie in the twin's.
    this.#twin.disabled = model.twin === null || local;
    element("lab-twin-said", HTMLElement).textContent = model.twin === null
      ? "This model has no twin that was trained without self-correction."
      : local
      ? "The twin of a model from this device cannot be reached; load the model by the address of its manifest.json."
      : "The same model trained without self-correction; it is loaded with the next flips.";
    this.#tellState();
  }

  /** A finished image is on the stage. @param {Drawing} drawing */
  offer(drawing) {
    if (drawing === this.#drawing || !drawing.finished) return;
    this.#drawing = drawing;
    this.#undisturbed.clear();
    if (!this.#section.hidden) this.#take();
    this.#tellState();
  }

  /** @param {string} message about what the page did for the lab */
  fail(message) {
    this.#alert.textContent = message;
    this.#alert.hidden = message === "";
  }

  /** @param {string} state of the page */
  state(state) {
    this.#state = state;
    if (state === "drawing") this.fail("");
    this.#tellState();
  }

  /** The lab comes into sight, or goes. @param {boolean} shown */
  show(shown) {
    if (shown) {
      this.#take();
      if (!this.#told) void showExperiment();
      this.#told = true;
    } else if (this.#twin.checked || this.#twinLoaded) {
      this.#twin.checked = false;
      void this.#forgetTwin();
    }
  }

  #tellState() {
    const ready = ["idle", "drawing"].includes(this.#state);
    this.#flip.disabled = !ready || !this.#drawing;
    element("lab-stop", HTMLButtonElement).disabled = this.#state !== "drawing";
    for (const id of ["lab-example", "lab-sample"]) element(id, HTMLButtonElement).disabled = !ready;
    element("lab-file", HTMLInputElement).disabled = !ready;
  }

  #tellRate() {
    element("lab-rate-value", HTMLOutputElement).value = `${this.#rate.value} %`;
  }

  /** Puts the image of the stage on the bench. */
  #take() {
    const drawing = this.#drawing;
    if (!drawing || this.#taken === drawing) return;
    this.#taken = drawing;
    const { aspect, scales, bitsPerToken } = drawing;
    const last = scales.at(-1);
    if (last) paint(element("lab-image", HTMLCanvasElement), drawing.original ?? picture(last));
    element("lab-image", HTMLCanvasElement).setAttribute("aria-label", drawing.title);
    this.#said.textContent = sentence(drawing.seed === null ? drawing.title : `${drawing.title}, seed ${drawing.seed}`);
    this.#prompt.value = drawing.prompt || this.#prompt.value;
    this.#flips = undefined;
    this.#paths.begin(aspect, bitsPerToken);
    this.#map.fit(bitsPerToken);
    for (const scale of scales) this.#paths.set("clean", scale);
    this.#paths.choose("clean", Math.min(3, scales.length));
    this.#offerScales(aspect.scales);
    this.#tellFigures();
    this.#status.textContent = "Choose what to damage and press Flip, or click a cell of the map.";
  }

  /** @param {[number, number][]} grids */
  #offerScales(grids) {
    const before = this.#scales.childElementCount === grids.length ? this.#chosenScales() : [2, 3];
    this.#scales.replaceChildren(
      ...grids.map(([h, w], i) => {
        const input = make("input", { type: "checkbox", value: String(i + 1), "aria-label": `Scale ${i + 1}, ${h} by ${w} tokens` });
        input.checked = before.includes(i + 1);
        return make("label", {}, input, make("span", { class: "number" }, `${h}×${w}`));
      }),
    );
  }

  /** From 1. */
  #chosenScales() {
    const boxes = [...this.#scales.querySelectorAll("input")];
    return boxes.filter(({ checked }) => checked).map(({ value }) => Number(value));
  }

  #flipMany() {
    if (this.#flip.disabled) return;
    const seed = this.#seed.value.trim() === "" ? NaN : Number(this.#seed.value);
    const sound = Number.isInteger(seed) && seed >= 0 && seed <= MAX_SEED;
    this.#seedError.textContent = sound ? "" : "Seeds are whole numbers from 0 on.";
    this.#seed.setAttribute("aria-invalid", String(!sound));
    const scales = this.#chosenScales();
    this.fail(scales.length ? "" : "No scale is chosen; choose at least one to damage.");
    if (!sound || !scales.length) return;
    void this.#run({ scales, rate: Number(this.#rate.value) / 100, seed }, `${this.#rate.value} % of the bits`);
  }

  /** @param {import("../engine/protocol.js").BitAt} bit */
  #flipOne(bit) {
    if (this.#flip.disabled) return;
    this.#paths.view("change");
    void this.#run({ scales: [], rate: 0, seed: 0, single: [bit] }, `Bit ${bit.bit + 1} of token ${bit.token + 1} at scale ${bit.scale}`);
  }

  /**
   * @param {Flips} flips
   * @param {string} what they are
   */
  async #run(flips, what) {
    this.#asked = [flips, what];
    await this.#page.work(async (client) => {
      const [drawing, asked] = [this.#taken, this.#asked];
      if (!drawing || !asked) return;
      const [flips, what] = asked;
      this.#flips = flips;
      for (const { id } of ROWS.slice(3)) this.#paths.clear(id);
      const damaged = this.#damaged();
      const [first = 0] = damaged;
      const { row, k } = this.#paths.chosen;
      this.#paths.choose(["flipped", "requantised"].includes(row) && !flips.single ? row : "flipped", damaged.includes(k) ? k : first || k);
      try {
        this.#status.textContent = "Flipping.";
        const { original, aspect, bits } = drawing;
        const subject = original
          ? { aspect: aspect.name, rgba: new Uint8Array(original.data) }
          : { aspect: aspect.name, bits };
        const end = await client.flip(subject, flips, (event) => {
          if (event.type === "progress") this.#status.textContent = "Loading the image encoder.";
          if (event.type !== "path") return;
          this.#paths.set(event.path, event);
          this.#tellFigures();
          this.#status.textContent = `${what}: scale ${event.k} of ${event.of}.`;
        });
        if (end.type === "cancelled") return this.#stopped();
        if (first && this.#goOn.checked && !(await this.#letGoOn(client, "model", drawing, flips, first))) return this.#stopped();
        if (first && this.#twin.checked) {
          if (!this.#twinLoaded) await this.#loadTwin(client);
          if (!(await this.#letGoOn(client, "twin", drawing, flips, first))) return this.#stopped();
        }
        this.#status.textContent = `${what}: ${this.#verdict()}`;
      } catch (error) {
        if (!(error instanceof EngineError) || isCrash(error) || error.code === "disposed") throw error;
        this.fail(sentence(error.message));
        this.#status.textContent = "";
      }
    });
  }

  #stopped() {
    this.#status.textContent = "Stopped.";
  }

  /**
   * Has a network draw on from the image's own scales up to the first that is damaged: without flips, unless that is known,
   * and with them.
   * @param {EngineClient} client
   * @param {Drawer} by
   * @param {Drawing} drawing
   * @param {Flips} flips
   * @param {number} first damaged scale, from 1
   * @returns {Promise<boolean>} false after a cancel
   */
  async #letGoOn(client, by, drawing, flips, first) {
    const prompt = this.#prompt.value.trim();
    if (!prompt) {
      this.fail("The transformer has nothing to go by; say what the image shows, or let it not go on.");
      return true;
    }
    const who = by === "model" ? "The transformer" : "The twin";
    const options = {
      seed: 1,
      ...drawing.options,
      prompt,
      aspect: drawing.aspect.name,
      keep: { bits: drawing.bits.slice(0, first), scales: first },
    };
    const key = JSON.stringify([by, first, prompt]);
    let clean = this.#undisturbed.get(key);
    if (!clean) {
      /** @type {Scale[]} */
      const drawn = [];
      const end = await client.generate(options, (event) => {
        if (event.type !== "scale") return;
        drawn.push(event);
        this.#paths.set(`${by}-clean`, event);
        this.#status.textContent = `${who} without flips: scale ${event.k} of ${event.of}.`;
      }, by);
      if (end.type === "cancelled") return false;
      this.#undisturbed.set(key, (clean = drawn));
    }
    for (const scale of clean) this.#paths.set(`${by}-clean`, scale);
    const against = clean.map(({ bits }) => bits);
    const end = await client.generate({ ...options, flips, against }, (event) => {
      if (event.type !== "scale") return;
      this.#paths.set(by, event);
      this.#tellFigures();
      this.#status.textContent = `${who} goes on: scale ${event.k} of ${event.of}.`;
    }, by);
    return end.type !== "cancelled";
  }

  /** @param {EngineClient} client */
  async #loadTwin(client) {
    if (!this.#model?.twin) return;
    await client.loadTwin(this.#model.twin, (event) => {
      if (event.type !== "progress") return;
      const amount = event.total > 0 ? `${megabytes(event.loaded)} of ${megabytes(event.total)} MB` : `${megabytes(event.loaded)} MB`;
      this.#status.textContent = `Loading the twin: ${amount}.`;
    });
    this.#twinLoaded = true;
  }

  async #forgetTwin() {
    for (const id of ["twin", "twin-clean"]) this.#paths.clear(id);
    this.#tellFigures();
    if (!this.#twinLoaded) return;
    this.#twinLoaded = false;
    await this.#page.work(async (client) => client.freeTwin());
  }

  /** Scales with flips, from 1. */
  #damaged() {
    const { scales = [], rate = 0, single = [] } = this.#flips ?? {};
    return [...new Set([...(rate > 0 ? scales : []), ...single.map(({ scale }) => scale)])].sort((a, b) => a - b);
  }

  /** How far re-quantising makes up for the flips. */
  #verdict() {
    const [kept, paid] = ["flipped", "requantised"].map((id) => this.#paths.steps(id).at(-1)?.deviation);
    if (!kept || !paid) return "";
    return `${decibels(kept.psnr)} with the old residuals, ${decibels(paid.psnr)} re-quantised.`;
  }

  #tellFigures() {
    const drawing = this.#taken;
    if (!drawing) return;
    const shown = ROWS.flatMap(({ id, name }) => {
      const deviations = this.#flips ? this.#paths.steps(id).flatMap(({ deviation }) => (deviation ? [deviation] : [])) : [];
      return deviations.length ? [{ id, name, deviations }] : [];
    });
    const curves = shown.map(({ id, name, deviations }) => ({ id, name, errors: deviations.map(({ error }) => error) }));
    this.#curves.show(drawing.aspect.scales, this.#damaged(), curves);
    element("lab-figures", HTMLElement).replaceChildren(
      ...shown.map(({ id, name, deviations }) => {
        const last = deviations.at(-1);
        const flipped = deviations.reduce((sum, { flipped }) => sum + flipped, 0);
        return figures(id, name, [String(flipped), last?.error.toFixed(3) ?? "", decibels(last?.psnr ?? NaN)]);
      }),
    );
  }
}
