// What can be taken away of the shown image: a link that holds it, a PNG of the shown scale, a film of all scales.

import { element, save } from "../ui/dom.js";
import { sentence } from "../ui/format.js";
import { movieType, record } from "./movie.js";
import { SHARED, encodeShare } from "./share-link.js";

/** @typedef {import("./frame.js").ImageFrame} ImageFrame */
/** @typedef {import("../engine/protocol.js").ModelInfo} ModelInfo */

export class ImageActions {
  #frame;
  #lines;
  #share = element("share", HTMLButtonElement);
  #png = element("save", HTMLButtonElement);
  #film = element("film", HTMLButtonElement);
  #type = movieType();

  /** @type {ModelInfo | undefined} */
  model;
  /** The last model that came from an address: one that was trained from it has its image tokenizer. */
  published = { codec: "", address: /** @type {string | null} */ (null) };
  /** Called with a sentence when something fails, with an empty one before it is tried. @type {(message: string) => void} */
  onerror = () => {};

  /**
   * @param {ImageFrame} frame
   * @param {import("./status-lines.js").StatusLines} lines
   */
  constructor(frame, lines) {
    this.#frame = frame;
    this.#lines = lines;
    this.#film.hidden = this.#type === undefined;
    this.#share.addEventListener("click", () => this.#copyLink());
    this.#png.addEventListener("click", () => this.#savePng());
    this.#film.addEventListener("click", () => this.#recordFilm());
  }

  /** The frame shows another image, or it has all its scales now. */
  refresh() {
    for (const button of [this.#share, this.#png, this.#film]) button.disabled = !this.#frame.result?.finished;
  }

  /** What a stopped image has come to can be saved, too. */
  allowPng() {
    this.#png.disabled = false;
  }

  async #copyLink() {
    const { result } = this.#frame;
    const { model, published } = this;
    if (!result?.finished || !model) return;
    const { bits, seed, aspect } = result;
    const hash = SHARED + encodeShare({ aspect: aspect.name, bits, seed }, model);
    // Whoever opens it has other engines: of this page's parameters only the model belongs to the image.
    const link = new URL(location.pathname, location.href);
    const named = model.codec === published.codec;
    if (named && published.address !== null) link.searchParams.set("model", published.address);
    link.hash = hash;
    const copied = await navigator.clipboard?.writeText(link.href).then(() => true, () => false);
    history.replaceState(null, "", copied ? hash : link.href);
    this.#lines.status = copied
      ? `Link copied; its ${link.href.length} characters hold the whole image.`
      : "The page's address now holds the whole image; copy it from there.";
    this.#lines.note = named
      ? ""
      : "The model is on your device alone, so the link cannot name it: whoever opens the link has to load the same files under Models.";
  }

  async #savePng() {
    const png = await this.#frame.png();
    if (png) save(png, this.#fileName(`-scale-${this.#frame.shown}.png`));
  }

  async #recordFilm() {
    const { result } = this.#frame;
    const type = this.#type;
    if (!result?.finished || !type) return;
    this.#film.disabled = true;
    this.onerror("");
    const recording = "Recording the film.";
    this.#lines.status = recording;
    try {
      const movie = await record(result, type, (part) => this.#film.style.setProperty("--part", String(part)));
      save(movie, this.#fileName(type.startsWith("video/mp4") ? ".mp4" : ".webm"));
      if (this.#lines.status === recording) this.#lines.status = "The film is saved.";
    } catch (error) {
      const reason = sentence(error instanceof Error ? error.message : String(error)).slice(0, -1);
      this.onerror(`The film could not be recorded (${reason}); try again, or save the scales one by one with PNG.`);
    } finally {
      this.#film.style.removeProperty("--part");
      this.#film.disabled = !this.#frame.result?.finished;
    }
  }

  /** A name for a file of the shown image. @param {string} ending */
  #fileName(ending) {
    const { result } = this.#frame;
    const title = result?.title.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 60) ?? "image";
    const seed = result?.seed ?? null;
    return `${title}${seed === null ? "" : `-seed-${seed}`}${ending}`;
  }
}
