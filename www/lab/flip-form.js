// Which bits are flipped: the scales, the probability, the seed.

import { element, make } from "../ui/dom.js";

/** @typedef {import("../engine/protocol.js").Flips} Flips */

const MAX_SEED = 2 ** 53 - 1;

export class FlipForm {
  #rate = element("lab-rate", HTMLInputElement);
  #seed = element("lab-seed", HTMLInputElement);
  #seedError = element("lab-seed-error", HTMLElement);
  #scales = element("lab-scales", HTMLElement);

  /** @param {() => void} submit */
  constructor(submit) {
    this.#rate.addEventListener("input", () => this.#showRate());
    element("lab-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      submit();
    });
    this.#showRate();
  }

  /** Offers the scales of another image; a choice stays where it can. @param {[number, number][]} grids */
  offer(grids) {
    const before = this.#scales.childElementCount === grids.length ? this.#chosen() : [2, 3];
    this.#scales.replaceChildren(
      ...grids.map(([h, w], i) => {
        const input = make("input", { type: "checkbox", value: String(i + 1), "aria-label": `Scale ${i + 1}, ${h} by ${w} tokens` });
        input.checked = before.includes(i + 1);
        return make("label", {}, input, make("span", { class: "number" }, `${h}×${w}`));
      }),
    );
  }

  /**
   * What the fields say; what is wrong with the seed stands beside it.
   * @returns {{ flips: Flips | undefined, what: string, error: string }} no flips while something is wrong; `error` is about the scales
   */
  read() {
    const seed = this.#seed.value.trim() === "" ? NaN : Number(this.#seed.value);
    const valid = Number.isInteger(seed) && seed >= 0 && seed <= MAX_SEED;
    this.#seedError.textContent = valid ? "" : "Seeds are whole numbers from 0 on.";
    this.#seed.setAttribute("aria-invalid", String(!valid));
    const scales = this.#chosen();
    return {
      flips: valid && scales.length ? { scales, rate: Number(this.#rate.value) / 100, seed } : undefined,
      what: `${this.#rate.value} % of the bits`,
      error: scales.length ? "" : "No scale is chosen; choose at least one to damage.",
    };
  }

  /** From 1. */
  #chosen() {
    const boxes = [...this.#scales.querySelectorAll("input")];
    return boxes.filter(({ checked }) => checked).map(({ value }) => Number(value));
  }

  #showRate() {
    element("lab-rate-value", HTMLOutputElement).value = `${this.#rate.value} %`;
  }
}

/** Scales in which bits are flipped, from 1. @param {Flips | undefined} flips */
export function flippedScales({ scales = [], rate = 0, single = [] } = { scales: [], rate: 0, seed: 0 }) {
  return [...new Set([...(rate > 0 ? scales : []), ...single.map(({ scale }) => scale)])].sort((a, b) => a - b);
}
