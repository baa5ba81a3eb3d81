// The scales of one image in a row, each a button.

import { element, make } from "../ui/dom.js";
import { paint, picture } from "./result.js";
import { duration } from "../ui/format.js";

export class Filmstrip {
  #strip = element("strip", HTMLOListElement);
  /** @type {HTMLButtonElement[]} */
  #buttons = [];
  #choose;

  /** @param {(k: number) => void} choose called with a chosen scale, from 1 */
  constructor(choose) {
    this.#choose = choose;
    // Scrubbing: the arrow keys walk along the strip, a pressed pointer that moves over it shows what it passes.
    this.#strip.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      const at = this.#buttons.indexOf(/** @type {HTMLButtonElement} */ (event.target));
      const next = step === undefined ? undefined : this.#buttons[at + step];
      if (!next || next.disabled) return;
      event.preventDefault();
      next.focus();
      next.click();
    });
    this.#strip.addEventListener("pointermove", (event) => {
      if (event.buttons !== 1) return;
      const under = document.elementFromPoint(event.clientX, event.clientY)?.closest("button");
      const at = under ? this.#buttons.indexOf(under) : -1;
      if (!under || at < 0 || under.disabled || under.getAttribute("aria-pressed") === "true") return;
      choose(at + 1);
      // Of a strip that is wider than the screen the next frames come up.
      under.scrollIntoView({ block: "nearest", inline: "nearest" });
    });
  }

  /** Empty frames for every scale. @param {import("../engine/protocol.js").Aspect} aspect */
  frames({ scales, width, height }) {
    this.#buttons = scales.map(([h, w], i) => {
      const frame = make("span", { class: "picture", "aria-hidden": "true" }, make("canvas"));
      frame.style.setProperty("--ratio", String(width / height));
      const button = make(
        "button",
        { type: "button", disabled: true, "aria-pressed": "false" },
        frame,
        make("span", { class: "unseen" }, `Scale ${i + 1} of ${scales.length}, tokens: `),
        make("span", { class: "tokens number" }, `${h}×${w}`),
        make("span", { class: "ms number" }, "\u00a0"),
      );
      button.addEventListener("click", () => this.#choose(i + 1));
      return button;
    });
    this.#strip.replaceChildren(...this.#buttons.map((button) => make("li", {}, button)));
  }

  /** @param {import("../engine/protocol.js").Scale} scale */
  add(scale) {
    const button = this.#buttons[scale.k - 1];
    const thumbnail = button?.querySelector("canvas");
    const time = button?.querySelector(".ms");
    if (!button || !thumbnail || !time) return;
    paint(thumbnail, picture(scale));
    time.textContent = duration(scale.ms);
    button.disabled = false;
    button.classList.add("arrived");
  }

  /** @param {number} k the scale that is shown large */
  press(k) {
    this.#buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === k - 1)));
  }

  /** @param {number} scales the first of which are kept */
  markKept(scales) {
    this.#buttons.forEach((button, i) => button.classList.toggle("kept", i < scales));
  }
}
