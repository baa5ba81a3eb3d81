// What the flips came to: the curves over the scales, the table below them, and one sentence.

import { element } from "../ui/dom.js";
import { decibels } from "../ui/format.js";
import { Curves, figures } from "./error-curves.js";
import { flippedScales } from "./flip-form.js";
import { ROWS } from "./rows.js";

/** @typedef {import("./paths.js").Paths} Paths */

export class Summary {
  #curves = new Curves(element("lab-plot", HTMLElement));
  #paths;

  /** @param {Paths} paths */
  constructor(paths) {
    this.#paths = paths;
  }

  /**
   * @param {[number, number][]} scales of the image
   * @param {import("../engine/protocol.js").Flips | undefined} flips without them nothing is compared
   */
  show(scales, flips) {
    const damaged = flippedScales(flips);
    const shown = ROWS.flatMap(({ id, name }) => {
      const deviations = flips ? this.#paths.steps(id).flatMap(({ deviation }) => (deviation ? [deviation] : [])) : [];
      return deviations.length ? [{ id, name, deviations }] : [];
    });
    const curves = shown.map(({ id, name, deviations }) => ({ id, name, errors: deviations.map(({ error }) => error) }));
    this.#curves.show(scales, damaged, curves);
    element("lab-figures", HTMLElement).replaceChildren(
      ...shown.map(({ id, name, deviations }) => {
        const last = deviations.at(-1);
        const flipped = deviations.reduce((sum, { flipped }) => sum + flipped, 0);
        return figures(id, name, [String(flipped), last?.error.toFixed(3) ?? "", decibels(last?.psnr ?? NaN)]);
      }),
    );
  }

  /** How far re-quantizing makes up for the flips. */
  verdict() {
    const [kept, paid] = ["flipped", "requantised"].map((id) => this.#paths.steps(id).at(-1)?.deviation);
    if (!kept || !paid) return "";
    return `${decibels(kept.psnr)} with the old residuals, ${decibels(paid.psnr)} re-quantized.`;
  }
}
