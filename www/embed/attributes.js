// The attributes of <infinity-image>, each as a property.

import { DEFAULT_MODEL } from "./engine.js";

// There are no elements where a server renders the page.
const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});

export class ImageAttributes extends Base {
  /** What the image shows. */
  get prompt() {
    return this.getAttribute("prompt") ?? "";
  }
  set prompt(prompt) {
    this.setAttribute("prompt", prompt);
  }

  /** The same seed draws the same image; null takes another one each time. @returns {number | null} */
  get seed() {
    const seed = this.getAttribute("seed");
    return seed === null || seed.trim() === "" ? null : Number(seed);
  }
  set seed(seed) {
    this.#reflect("seed", seed);
  }

  /** Width to height, one of the model's shapes. */
  get aspect() {
    return this.getAttribute("aspect") ?? "1:1";
  }
  set aspect(aspect) {
    this.setAttribute("aspect", aspect);
  }

  /** Guidance, one value or one per scale; null is the model's own. @returns {number | number[] | null} */
  get cfg() {
    return this.#numbers("cfg");
  }
  set cfg(cfg) {
    this.#reflect("cfg", cfg);
  }

  /** Temperature, one value or one per scale; null is the model's own. @returns {number | number[] | null} */
  get tau() {
    return this.#numbers("tau");
  }
  set tau(tau) {
    this.#reflect("tau", tau);
  }

  /** The model: the address of a manifest, or the name of an imported package. */
  get src() {
    return this.getAttribute("src") ?? DEFAULT_MODEL;
  }
  set src(src) {
    this.setAttribute("src", src);
  }

  /** `eager` loads and draws at once, `lazy` when the visitor asks, `manual` when a script does. @returns {"eager" | "lazy" | "manual"} */
  get loading() {
    const loading = this.getAttribute("loading");
    return loading === "eager" || loading === "manual" ? loading : "lazy";
  }
  set loading(loading) {
    this.setAttribute("loading", loading);
  }

  /** What computes. @returns {import("./engine.js").EngineChoice} */
  get device() {
    const device = this.getAttribute("device");
    return device === "webgpu" || device === "cpu" ? device : "auto";
  }
  set device(device) {
    this.setAttribute("device", device);
  }

  /** Address of a picture for the time before. @returns {string | null} */
  get poster() {
    return this.getAttribute("poster");
  }
  set poster(poster) {
    this.#reflect("poster", poster);
  }

  /** The folder of worker.js and the wasm, if it is not that of this script. @returns {string | null} */
  get baseUrl() {
    return this.getAttribute("base-url");
  }
  set baseUrl(baseUrl) {
    this.#reflect("base-url", baseUrl);
  }

  /** Whether a prompt and buttons stand below. */
  get controls() {
    return this.hasAttribute("controls");
  }
  set controls(controls) {
    this.toggleAttribute("controls", controls);
  }

  /** Takes over properties that were set before the element was defined. @protected */
  adoptProperties() {
    for (const name of /** @type {(keyof this)[]} */ (["prompt", "seed", "aspect", "cfg", "tau", "src", "loading", "device", "poster", "baseUrl", "controls"])) {
      if (!Object.hasOwn(this, name)) continue;
      const value = this[name];
      delete this[name];
      this[name] = value;
    }
  }

  /**
   * @param {string} name
   * @param {string | number | number[] | null} value
   */
  #reflect(name, value) {
    if (value === null || value === undefined) this.removeAttribute(name);
    else this.setAttribute(name, String(value));
  }

  /** @param {string} name @returns {number | number[] | null} */
  #numbers(name) {
    const text = this.getAttribute(name)?.trim();
    if (!text) return null;
    const [first = NaN, ...rest] = text.split(",").map(Number);
    return rest.length > 0 ? [first, ...rest] : first;
  }
}
