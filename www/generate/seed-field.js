// The seed of the next image: a new one each time, unless it is locked.

import { element } from "../ui/dom.js";
import { randomSeed } from "../engine/random-seed.js";

export class SeedField {
  #input = element("seed", HTMLInputElement);
  #lock = element("seed-lock", HTMLButtonElement);

  constructor() {
    this.#input.value = String(randomSeed());
    // Whoever types a seed wants that one.
    this.#input.addEventListener("input", () => (this.locked = true));
    this.#lock.addEventListener("click", () => (this.locked = !this.locked));
    element("dice", HTMLButtonElement).addEventListener("click", () => {
      this.locked = true;
      this.roll();
    });
  }

  get locked() {
    return this.#lock.getAttribute("aria-pressed") === "true";
  }

  set locked(locked) {
    this.#lock.setAttribute("aria-pressed", String(locked));
    this.#lock.title = locked ? "Every image takes this seed" : "Every image takes a new seed";
  }

  /** Puts another one there. */
  roll() {
    this.#input.value = String(randomSeed());
    this.#input.dispatchEvent(new Event("rolled"));
  }

  /** For the next image. @returns {number} NaN if what stands there is no number */
  next() {
    if (!this.locked) this.roll();
    const text = this.#input.value.trim();
    return text === "" ? NaN : Number(text);
  }

  /** @param {number} seed */
  set(seed) {
    this.#input.value = String(seed);
  }
}
