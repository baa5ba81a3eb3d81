// Curves of |F - F_k| / |F| over the scales, one for every path, drawn as SVG.

import { make } from "../ui/dom.js";

/** @typedef {{ id: string, name: string, errors: number[] }} Curve a value for every scale so far */

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 240;
const MARGIN = { left: 40, right: 14, top: 10, bottom: 40 };

export class Curves {
  #place;
  /** @type {{ scales: [number, number][], damaged: number[], curves: Curve[] }} */
  #shown = { scales: [], damaged: [], curves: [] };

  /** @param {HTMLElement} place that the plot fills in width */
  constructor(place) {
    this.#place = place;
    new ResizeObserver(() => this.#draw()).observe(place);
  }

  /**
   * @param {[number, number][]} scales heights and widths in tokens
   * @param {number[]} damaged scales with flips, from 1
   * @param {Curve[]} curves
   */
  show(scales, damaged, curves) {
    this.#shown = { scales, damaged, curves };
    this.#draw();
  }

  #draw() {
    const { scales, damaged, curves } = this.#shown;
    const width = this.#place.clientWidth;
    if (!width || scales.length === 0) return;
    const top = Math.max(0.2, ...curves.flatMap(({ errors }) => errors));
    const step = [0.05, 0.1, 0.25, 0.5, 1].find((step) => top / step <= 5) ?? 2;
    const limit = Math.ceil(top / step - 1e-9) * step;
    const inner = { width: width - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom };
    const slot = inner.width / scales.length;
    /** @param {number} k from 1 */
    const x = (k) => MARGIN.left + (k - 0.5) * slot;
    /** @param {number} error */
    const y = (error) => MARGIN.top + inner.height * (1 - error / limit);

    const parts = damaged.map((k) =>
      shape("rect", { class: "damaged", x: x(k) - slot / 2 + 2, y: MARGIN.top, width: slot - 4, height: inner.height, rx: 4 }),
    );
    for (let i = 0; i * step <= limit + 1e-9; i++) {
      const at = y(i * step);
      parts.push(shape("line", { class: "rule", x1: MARGIN.left, x2: width - MARGIN.right, y1: at, y2: at }));
      parts.push(label((i * step).toFixed([0.05, 0.25].includes(step) ? 2 : 1), MARGIN.left - 8, at + 4, "end"));
    }
    scales.forEach(([h, w], i) => {
      parts.push(label(`${h}×${w}`, x(i + 1), HEIGHT - MARGIN.bottom + 18, "middle"));
      if (damaged.includes(i + 1)) parts.push(label("flipped", x(i + 1), HEIGHT - MARGIN.bottom + 33, "middle", "at-damage"));
    });
    for (const { id, name, errors } of curves) {
      const points = errors.map((error, i) => /** @type {[number, number]} */ ([x(i + 1), y(error)]));
      const line = shape("polyline", { points: points.map((point) => point.join(",")).join(" ") });
      const dots = points.map(([cx, cy], i) => {
        const dot = shape("circle", { cx, cy, r: 4 });
        const title = document.createElementNS(SVG, "title");
        title.textContent = `${name}, scale ${i + 1}: ${errors[i]?.toFixed(3)}`;
        dot.append(title);
        return dot;
      });
      const group = shape("g", { class: `curve path-${id}` });
      group.append(line, ...dots);
      parts.push(group);
    }
    const ends = curves.map(({ name, errors }) => `${name} ${(errors.at(-1) ?? 0).toFixed(3)}`).join(", ");
    const plot = shape("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img" });
    plot.setAttribute("aria-label", `Distance from F after every scale; at the last: ${ends || "nothing yet"}`);
    plot.append(...parts);
    this.#place.replaceChildren(plot);
  }
}

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 */
function shape(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

/**
 * @param {string} text
 * @param {number} x
 * @param {number} y
 * @param {string} anchor
 * @param {string} [kind]
 */
function label(text, x, y, anchor, kind = "") {
  const made = shape("text", { x, y, "text-anchor": anchor, ...(kind && { class: kind }) });
  made.textContent = text;
  return made;
}

/**
 * A line of the table below the plot.
 * @param {string} id of the path
 * @param {string} name
 * @param {string[]} values
 */
export function figures(id, name, values) {
  const swatch = make("span", { class: `swatch-line path-${id}`, "aria-hidden": "true" });
  return make("tr", {}, make("th", { scope: "row" }, swatch, name), ...values.map((value) => make("td", {}, value)));
}
