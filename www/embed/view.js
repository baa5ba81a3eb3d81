// The element's shadow: what is in it, and what of it each state shows.

import { style } from "./style.js";

/** @typedef {"idle" | "loading" | "drawing" | "done" | "error"} State */

const MARKUP = `
<div class="frame" part="frame">
  <div class="before" part="before"><slot><svg class="mark" viewBox="0 0 32 32" aria-hidden="true"><rect x="3" y="3" width="26" height="26" rx="5"/><rect x="3" y="14.5" width="14.5" height="14.5" rx="3"/><rect x="3" y="22.5" width="6.5" height="6.5" rx="2"/></svg></slot></div>
  <img class="poster" part="poster" alt="" hidden>
  <canvas part="canvas" role="img" width="1" height="1" hidden></canvas>
  <ol class="steps" part="steps" aria-hidden="true" hidden></ol>
  <div class="veil" part="loading" hidden><span class="what"></span><progress part="bar" aria-label="Loading"></progress></div>
  <button class="start primary" part="start button" type="button"><svg viewBox="0 0 12 12" aria-hidden="true"><path d="M2.5 1v10l8-5z"/></svg>Draw</button>
  <div class="error" part="error" role="alert" hidden><p></p><button part="retry button" type="button">Try again</button></div>
</div>
<form part="controls" hidden>
  <input part="prompt" aria-label="Prompt" autocomplete="off" spellcheck="false" enterkeyhint="go">
  <button class="go primary" part="generate button">Draw</button>
  <button class="save icon" part="save button" type="button" aria-label="Save as PNG" title="Save as PNG" disabled><svg viewBox="0 0 16 16" aria-hidden="true"><path d="M8 2v8M4.7 7 8 10.3 11.3 7M2.5 13.5h11"/></svg></button>
</form>
<p class="status" part="status" role="status"></p>`;

/** @type {CSSStyleSheet | undefined} */
let sheet;

export class View {
  #root;

  /** Called when the visitor asks for an image, with the prompt if it may be another. @type {(prompt?: string) => void} */
  ondraw = () => {};
  onstop = () => {};
  onsave = () => {};
  #postered = false;
  #failed = false;

  /** @param {ShadowRoot} root */
  constructor(root) {
    this.#root = root;
    const template = document.createElement("template");
    template.innerHTML = MARKUP;
    root.append(template.content);
    if (!sheet) {
      sheet = new CSSStyleSheet();
      sheet.replaceSync(style);
    }
    // Unlike a style element this needs no leave of a content security policy.
    root.adoptedStyleSheets = [sheet];
    this.#get(".start", HTMLButtonElement).addEventListener("click", () => this.ondraw());
    this.#get(".error button", HTMLButtonElement).addEventListener("click", () => this.ondraw());
    this.#get(".save", HTMLButtonElement).addEventListener("click", () => this.onsave());
    this.#get("form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#busy) this.onstop();
      else this.ondraw(this.#get("input", HTMLInputElement).value);
    });
  }

  get canvas() {
    return this.#get("canvas", HTMLCanvasElement);
  }

  get #busy() {
    return this.#get(".frame", HTMLElement).getAttribute("aria-busy") === "true";
  }

  /**
   * @param {State} state
   * @param {object} about
   * @param {boolean} about.drawn whether the canvas holds an image
   * @param {boolean} about.startable whether the visitor may start without controls
   * @param {string} [about.error]
   */
  show(state, { drawn, startable, error = "" }) {
    const busy = state === "loading" || state === "drawing";
    this.#get(".frame", HTMLElement).setAttribute("aria-busy", String(busy));
    this.canvas.hidden = !drawn;
    this.#get(".start", HTMLElement).hidden = busy || !startable || state === "done" || state === "error";
    this.#get(".veil", HTMLElement).hidden = state !== "loading";
    this.#get(".steps", HTMLElement).hidden = state !== "drawing" && state !== "done";
    this.#get(".steps", HTMLElement).classList.toggle("done", state === "done");
    this.#get(".error", HTMLElement).hidden = state !== "error";
    this.#get(".error p", HTMLElement).textContent = error;
    this.#get(".error button", HTMLElement).hidden = !startable;
    this.#get(".go", HTMLElement).textContent = busy ? "Stop" : "Draw";
    this.#get(".save", HTMLButtonElement).disabled = !drawn;
    if (state === "idle" || state === "error") this.say("");
    this.#failed = state === "error" && !drawn;
    this.#cover();
  }

  /** What the canvas shows, in words. */
  get description() {
    return this.canvas.getAttribute("aria-label") ?? "";
  }
  set description(prompt) {
    this.canvas.setAttribute("aria-label", prompt);
  }

  /** @param {string} prompt of the next image */
  prompt(prompt) {
    this.#get("input", HTMLInputElement).value = prompt;
  }

  /** @param {string | null} address */
  poster(address) {
    const poster = this.#get(".poster", HTMLImageElement);
    const show = (/** @type {boolean} */ shown) => {
      this.#postered = shown;
      this.#cover();
    };
    show(address !== null);
    poster.onerror = () => show(false);
    if (address === null) poster.removeAttribute("src");
    else poster.src = address;
  }

  /**
   * The poster lies over what the element's own children show, unless those are needed: they are the fallback. Neither may shine
   * through the image.
   */
  #cover() {
    const fallback = this.#failed && this.#get("slot", HTMLSlotElement).assignedNodes().length > 0;
    const covered = this.#postered && !fallback;
    this.#get(".poster", HTMLElement).hidden = !covered;
    const before = this.#get(".before", HTMLElement);
    before.hidden = covered || !this.canvas.hidden;
    // It is read above the error.
    before.classList.toggle("fallback", fallback);
  }

  /** @param {boolean} shown */
  controls(shown) {
    this.#get("form", HTMLElement).hidden = !shown;
    // Without controls it is only heard.
    this.#get(".status", HTMLElement).classList.toggle("unseen", !shown);
  }

  /** The frame's proportions. @param {string} aspect such as "4:3" */
  shape(aspect) {
    const [width = 1, height = 1] = aspect.split(":").map(Number);
    this.#get(".frame", HTMLElement).style.setProperty("--shape", width > 0 && height > 0 ? `${width} / ${height}` : "1");
  }

  /**
   * @param {string} text
   * @param {number} [fraction] of 1; left out when it is not known
   */
  loading(text, fraction) {
    this.#get(".what", HTMLElement).textContent = text;
    const bar = this.#get("progress", HTMLProgressElement);
    if (fraction === undefined) bar.removeAttribute("value");
    else bar.value = fraction;
  }

  /**
   * @param {number} there
   * @param {number} of
   */
  steps(there, of) {
    const item = (/** @type {number} */ i) => {
      const step = document.createElement("li");
      step.className = i < there ? "there" : i === there ? "next" : "";
      return step;
    };
    this.#get(".steps", HTMLElement).replaceChildren(...Array.from({ length: of }, (_, i) => item(i)));
  }

  /** @param {ImageData} image */
  paint(image) {
    const { canvas } = this;
    canvas.width = image.width;
    canvas.height = image.height;
    canvas.getContext("2d")?.putImageData(image, 0, 0);
    canvas.hidden = false;
    this.#cover();
  }

  /** @param {string} text */
  say(text) {
    this.#get(".status", HTMLElement).textContent = text;
  }

  /**
   * @template {Element} T
   * @param {string} selector
   * @param {new () => T} type
   * @returns {T}
   */
  #get(selector, type) {
    const found = this.#root.querySelector(selector);
    if (!(found instanceof type)) throw new Error(`the shadow lacks ${selector}`);
    return found;
  }
}
