// The experiment behind the lab: what `infinity eval self-correction` measured over many images, as a table.

import { element, make } from "../ui/dom.js";

/** @typedef {{ mean: number, interval95: [number, number] }} Mean */
/** @typedef {{ treatment: string, rate: number, errors: Mean[], psnr?: Mean }} Row */
/** What a network generates after flips, against the image that it generates without. @typedef {{ twin: boolean, answer: string, rate: number, errors: Mean[], psnr?: Mean }} Drawn */
/** @typedef {{ model: string, images: number, rows: Row[], recovery: { flipped_scales: number, rows: Drawn[] } }} Experiment */

/** What rows are called; one that is not listed by its own name. @type {Record<string, string>} */
const NAMES = { clean: "Clean", flipped: "Old residuals", requantised: "Re-quantized", model: "Transformer", baseline: "Its baseline" };

/** Made by the command and copied to the page as it is. */
const FILE = new URL("self-correction.json", document.baseURI).href;

/** Fills the table; without its numbers it stays away. */
export async function showExperiment() {
  const response = await fetch(FILE).catch(() => undefined);
  if (!response?.ok) return;
  /** @type {Experiment} */
  const { model, images, rows, recovery } = await response.json();
  // Of the other rows one has no flips, and one knows bits that a network does not.
  const drawn = recovery.rows.filter(({ answer }) => answer === "drawn").map(({ twin, ...row }) => ({ ...row, treatment: twin ? "baseline" : "model" }));
  const scales = Math.max(0, ...rows.map(({ errors }) => errors.length));
  element("lab-experiment-title", HTMLElement).textContent = `The same over ${images} images`;
  element("lab-experiment-of", HTMLElement).textContent = `${model}, ${images} held-out images`;
  element("lab-experiment-scales", HTMLElement).textContent = String(recovery.flipped_scales);
  const heads = ["Bits", "Flipped", ...Array.from({ length: scales }, (_, k) => `Scale ${k + 1}`), "PSNR, dB"];
  element("lab-experiment-head", HTMLElement).replaceChildren(...heads.map((text) => make("th", { scope: "col" }, text)));
  element("lab-experiment-rows", HTMLElement).replaceChildren(
    ...[...rows, ...drawn].map(({ treatment, rate, errors, psnr }) => {
      const swatch = make("span", { class: `swatch-line path-${treatment}`, "aria-hidden": "true" });
      const cells = [`${Math.round(100 * rate)} %`, ...Array.from({ length: scales }, (_, k) => interval(errors[k], 3)), interval(psnr, 1)];
      return make("tr", {}, make("th", { scope: "row" }, swatch, NAMES[treatment] ?? treatment), ...cells.map((text) => make("td", {}, text)));
    }),
  );
  element("lab-experiment", HTMLElement).hidden = false;
}

/**
 * @param {Mean | undefined} value
 * @param {number} digits
 */
function interval(value, digits) {
  if (!value) return "–";
  const half = (value.interval95[1] - value.interval95[0]) / 2;
  return `${value.mean.toFixed(digits)} ± ${half.toFixed(digits)}`;
}
