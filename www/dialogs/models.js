// The dialog about models and engines: what is loaded, what this browser keeps of it, and how to load another.

import { EngineClient } from "../engine/client.js";
import { TRAINING, WEIGHTS, clearStorage, freeBytes, persist, storedBytes } from "../engine/storage.js";
import { element } from "../ui/dom.js";
import { dropped, unpacked } from "../ui/dropped-files.js";
import { count, megabytes, sentence } from "../ui/format.js";
import { EngineChoice } from "./engine-choice.js";

/** @typedef {import("../engine/protocol.js").Source} Source */

/**
 * What the visitor has made that the browser keeps.
 * @typedef {object} Works
 * @property {() => { pictures: number, images: number }} count
 * @property {() => Promise<void>} forget deletes it
 */

/** Parameters are computed with in 32 bits, whatever they are stored in. */
const BYTES_PER_PARAMETER = 4;

export class ModelsDialog {
  #dialog = element("models", HTMLDialogElement);
  #address = element("model-address", HTMLInputElement);
  #found = element("model-found", HTMLElement);
  #error = element("model-error", HTMLElement);
  #use = element("model-use", HTMLButtonElement);
  /** @type {Source | undefined} */
  #source;
  #delete = element("stored-delete", HTMLButtonElement);
  #engine;
  #works;

  /**
   * @param {object} page
   * @param {string} page.builtIn address of the page's own manifest
   * @param {(source: Source) => void} page.load
   * @param {(choice: import("../engine/protocol.js").EngineChoice) => void} page.choose called when another engine is chosen
   * @param {Works} page.works
   */
  constructor({ builtIn, load, choose, works }) {
    this.#engine = new EngineChoice(choose);
    this.#works = works;
    element("models-open", HTMLButtonElement).addEventListener("click", () => this.open());
    element("models-close", HTMLButtonElement).addEventListener("click", () => this.#dialog.close());
    element("model-look", HTMLButtonElement).addEventListener("click", () => this.#look(this.#address.value.trim()));
    this.#address.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      this.#look(this.#address.value.trim());
    });
    element("model-built-in", HTMLButtonElement).addEventListener("click", () => this.#look(builtIn));
    const files = element("model-files", HTMLInputElement);
    files.addEventListener("change", () => {
      if (files.files?.length) this.#look([...files.files]);
      files.value = "";
    });
    // Files that are dropped on the page are images, on the dialog a model.
    this.#dialog.addEventListener("dragover", (event) => event.preventDefault());
    this.#dialog.addEventListener("drop", async (event) => {
      event.preventDefault();
      event.stopPropagation();
      document.body.classList.remove("dropping");
      const given = event.dataTransfer ? await dropped(event.dataTransfer).catch(() => []) : [];
      if (given.length) this.#look(given);
    });
    this.#use.addEventListener("click", () => {
      if (!this.#source) return;
      persist();
      this.#dialog.close();
      load(this.#source);
    });
    this.#delete.addEventListener("click", async () => {
      // A model can be downloaded again. For the rest, the second press within a few seconds means it.
      const { made } = await this.#kept();
      if (made && !this.#delete.dataset.sure) {
        this.#ask(true);
        setTimeout(() => this.#ask(false), 4000);
        return;
      }
      this.#ask(false);
      await clearStorage().catch(() => {});
      if (made) await this.#works.forget();
      await this.#stored();
    });
  }

  /** The engine that the visitor chose. */
  get choice() {
    return this.#engine.choice;
  }

  /** @param {File[]} [files] a model from the visitor's device to look at */
  async open(files) {
    this.#show(undefined);
    // Another one that is open would lie below it.
    for (const other of document.querySelectorAll("dialog[open]")) if (other instanceof HTMLDialogElement) other.close();
    this.#dialog.showModal();
    await Promise.all([this.#stored(), this.#engine.check(), files && this.#look(files)]);
  }

  /** @param {import("../engine/protocol.js").ModelInfo} model */
  fill(model) {
    element("model-name", HTMLElement).textContent = model.name;
    element("model-facts", HTMLElement).textContent = facts(model);
  }

  /** What a manifest says, before anything else of the model is downloaded. @param {Source} source */
  async #look(source) {
    this.#show(undefined);
    if (typeof source === "string" && !URL.canParse(source, document.baseURI)) {
      this.#error.textContent = "This is not an address; paste the whole address of a manifest.json.";
      return;
    }
    const client = new EngineClient();
    try {
      const plain = Array.isArray(source) ? await unpacked(source) : source;
      const found = await client.inspect(plain);
      this.#show(plain, `${found.name}: ${facts(found)}${await this.#fit(plain, found.bytes)}`);
    } catch (error) {
      this.#error.textContent = sentence(error instanceof Error ? error.message : String(error));
    } finally {
      client.dispose();
    }
  }

  /**
   * Whether the browser can keep so much, where that is in doubt.
   * @param {Source} source
   * @param {number} bytes
   */
  async #fit(source, bytes) {
    const free = await freeBytes();
    if (Array.isArray(source) || bytes <= free) return "";
    return ` This browser keeps ${megabytes(free)} MB more at most: delete what is kept, or part of the model is downloaded at every visit.`;
  }

  /**
   * @param {Source | undefined} source
   * @param {string} [facts]
   */
  #show(source, facts = "") {
    this.#source = source;
    this.#error.textContent = "";
    this.#found.textContent = facts;
    this.#use.hidden = !source;
    if (source) this.#use.focus();
  }

  async #kept() {
    const [models, training] = await Promise.all([storedBytes([WEIGHTS]), storedBytes([TRAINING])]);
    const { pictures, images } = this.#works.count();
    return { models, training, pictures, images, made: training + pictures + images > 0 };
  }

  async #stored() {
    const { models, training, pictures, images, made } = await this.#kept();
    const list = [
      models && `${megabytes(models)} MB of models`,
      training && `${megabytes(training)} MB of a training`,
      pictures && `${pictures} ${pictures === 1 ? "picture" : "pictures"} to learn`,
      images && `${images} earlier ${images === 1 ? "image" : "images"}`,
    ].filter(Boolean);
    const next = models ? "The next visit downloads no model." : "Each visit downloads the model.";
    element("stored", HTMLElement).textContent = list.length
      ? `Kept in this browser: ${list.join(", ")}. ${next}`
      : `Nothing but the page itself is kept in this browser. ${next}`;
    this.#delete.disabled = models === 0 && !made;
  }

  /** @param {boolean} sure */
  #ask(sure) {
    if (sure) this.#delete.dataset.sure = "asked";
    else delete this.#delete.dataset.sure;
    this.#delete.textContent = sure ? "Press again to delete all" : "Delete";
  }
}

/** @param {{ parameters: number, bytes: number, licence: string }} model */
export function facts({ parameters, bytes, licence }) {
  const memory = Math.ceil((parameters * BYTES_PER_PARAMETER) / 1e6);
  return `${count(parameters)} parameters, ${megabytes(bytes)} MB to download, about ${memory} MB of memory, ${licence}.`;
}
