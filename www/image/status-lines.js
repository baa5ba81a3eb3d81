// The lines below the image: what happens, what should be known of it, and which engine runs.

import { element } from "../ui/dom.js";

export class StatusLines {
  #status = element("status", HTMLElement);
  #note = element("note", HTMLElement);
  #engine = element("engine", HTMLElement);

  get status() {
    return this.#status.textContent ?? "";
  }
  set status(text) {
    this.#status.textContent = text;
  }

  /** @param {string} text */
  set note(text) {
    this.#note.textContent = text;
  }

  /** @param {string} text */
  set engine(text) {
    this.#engine.textContent = text;
  }
}
