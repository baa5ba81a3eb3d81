// The Draw panel: the form on one side, the image on the other, and what goes from one to the other.

import { prefetch } from "../engine/prefetch.js";
import { SHARED } from "../image/share-link.js";
import { Viewer } from "../image/viewer.js";
import { element } from "../ui/dom.js";
import { decibels } from "../ui/format.js";
import { parameter } from "../ui/query.js";
import { EditControls } from "./edit-controls.js";
import { ImageInput } from "./image-input.js";
import { LoadingView } from "./loading.js";
import { OptionsForm } from "./options-form.js";
import { ScaleTools } from "./scale-tools.js";
import { ImageTasks } from "./tasks.js";

/** @typedef {import("../engine/panel.js").Panel} Panel */
/** @typedef {import("../engine/protocol.js").ModelInfo} ModelInfo */
/** @typedef {import("../engine/protocol.js").Options} Options */
/** @typedef {import("../image/result.js").ImageResult} ImageResult */

/**
 * What the page does with the panel's results.
 * @typedef {object} Page
 * @property {(result: ImageResult) => void} result an image is in the frame
 * @property {(result: ImageResult, ms: number) => void} generated an image was generated in so many milliseconds
 * @property {(files: File[]) => void} model a model's files were dropped
 */

/** @implements {Panel} */
export class GeneratePanel {
  #session;
  #form = new OptionsForm();
  #edit = new EditControls();
  #tasks;
  #tools;
  #generate = element("generate", HTMLButtonElement);
  #stop = element("stop", HTMLButtonElement);

  loading;
  viewer = new Viewer(
    (result) => {
      if (this.#session.state === "idle") this.viewer.lines.status = `Seed ${result.seed}`;
    },
    (entry) => this.#run((client) => this.#tasks.reopen(client, entry)),
  );

  /**
   * @param {import("../engine/session.js").Session} session
   * @param {Page} page
   */
  constructor(session, page) {
    this.#session = session;
    const { frame, lines, actions } = this.viewer;
    this.loading = new LoadingView(this.viewer, () => void session.load());
    this.#tasks = new ImageTasks(session, this.viewer, this.#form);
    this.#tools = new ScaleTools(frame, this.#edit, (result, kept) => this.#regenerate(result, kept));
    this.#tasks.ongenerated = page.generated;
    this.#tasks.onfinished = () => {
      if (typeof session.source === "string") prefetch(session.source);
    };
    this.viewer.onresult = (result, edited) => {
      this.#edit.offer(result, edited);
      page.result(result);
    };
    this.#form.onaspect = (aspect) => {
      frame.expect(aspect);
      this.#edit.shape(aspect.name);
    };
    frame.onshow = (k) => {
      const { result } = frame;
      this.#tools.refresh();
      const psnr = result?.psnr[k - 1];
      if (result && psnr !== undefined) lines.status = `Scale ${k} of ${result.aspect.scales.length}: ${decibels(psnr)}`;
    };
    this.#edit.onchange = () => {
      frame.markKept(this.#edit.scales);
      this.#tools.refresh();
    };
    actions.onerror = (message) => (message ? this.#form.showError(null, message) : this.#form.clearErrors());
    this.#listen(page);
  }

  /** @param {Page} page */
  #listen(page) {
    element("draw", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    element("prompt", HTMLTextAreaElement).addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#submit();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !this.#stop.disabled && !document.querySelector("dialog[open]")) this.#session.stop();
    });
    this.#stop.addEventListener("click", () => this.#session.stop());
    window.addEventListener("hashchange", () => void this.openLink());
    new ImageInput(
      (file) => this.read(file),
      page.model,
      () => this.fail("This is neither an image nor a model; drop a PNG or JPEG, or a model's manifest.json with its shards.", null),
    );
  }

  // What the page and the other panels ask for.

  /** Generates an image of a prompt, all else as the form says. @param {string} prompt */
  generate(prompt) {
    this.#run((client) => this.#tasks.generate(client, { ...this.#form.read(), prompt }, 1));
  }

  /** Reads a picture into tokens. @param {Blob} file */
  read(file) {
    this.#run((client) => this.#tasks.read(client, file));
  }

  /** Shows the image that the page's address holds, if it holds one. */
  async openLink() {
    if (location.hash.startsWith(SHARED)) await this.#session.run((client) => this.#tasks.openLink(client));
  }

  clearMessages() {
    this.#form.clearErrors();
    this.viewer.lines.note = "";
  }

  // The contract of panels.

  /**
   * @param {ModelInfo} model
   * @param {import("../engine/protocol.js").Source} source
   */
  fill(model, source) {
    const { actions } = this.viewer;
    if (typeof source === "string") actions.published = { codec: model.codec, address: parameter("model") };
    actions.model = model;
    this.#form.fill(model);
    this.loading.done();
  }

  /** @param {import("../engine/panel.js").State} state */
  state(state) {
    const idle = state === "idle";
    this.#generate.disabled = !idle;
    this.#stop.disabled = state !== "drawing" && state !== "loading";
    this.#tools.enable(idle);
    element("image-file", HTMLInputElement).disabled = !idle;
  }

  show() {}

  stop() {
    this.#tasks.stop();
  }

  /**
   * @param {string} message
   * @param {string | null} field
   */
  fail(message, field) {
    this.#form.showError(field, message);
  }

  /** @param {import("../engine/session.js").Task} task */
  #run(task) {
    void this.#session.run(task);
  }

  #submit() {
    if (this.#generate.disabled) return;
    const options = this.#form.read();
    const keep = this.#edit.options(options.aspect);
    this.#run((client) => this.#tasks.generate(client, { ...options, ...(keep && { keep }) }, this.#form.images));
  }

  /**
   * @param {ImageResult} result
   * @param {number} kept
   */
  #regenerate(result, kept) {
    this.#form.seed.roll();
    const options = { ...this.#form.read(), aspect: result.aspect.name };
    // Without words of its own, the new part follows those of the image.
    if (!options.prompt.trim()) options.prompt = result.prompt;
    this.#run((client) => this.#tasks.generate(client, { ...options, keep: { bits: result.bits.slice(0, kept), scales: kept } }, 1));
  }
}
