// The paths of the lab side by side: a row for each, a cell for every scale, as picture, as change or as bits.

import { element, make } from "../ui/dom.js";
import { paint, picture } from "../image/result.js";
import { planeSheet } from "./bit-planes.js";
import { describeCell, makeCell } from "./cell.js";
import { change, greatestChange } from "./difference.js";
import { ROWS } from "./rows.js";

/** @typedef {import("./cell.js").LabView} LabView */
/** @typedef {import("./rows.js").Before} Before */
/** @typedef {import("./rows.js").Row} Row */
/** @typedef {import("./rows.js").Step} Step */

export class Paths {
  #rows = element("lab-rows", HTMLElement);
  #legend = element("lab-gain", HTMLElement);
  /** @type {LabView} */
  #view = "picture";
  /** @type {import("../engine/protocol.js").Aspect | undefined} */
  #aspect;
  #d = 0;
  /** @type {Map<string, Step[]>} */
  #steps = new Map();
  /** @type {Map<string, HTMLButtonElement[]>} */
  #cells = new Map();
  #choose;

  /** The cell that is looked at closely. */
  chosen = { row: "flipped", k: 1 };

  /** @param {() => void} choose called when another cell is chosen */
  constructor(choose) {
    this.#choose = choose;
    for (const input of document.querySelectorAll("input[name=lab-view]")) {
      input.addEventListener("change", () => {
        this.#view = /** @type {LabView} */ (input.getAttribute("value"));
        this.#paintAll();
      });
    }
  }

  /**
   * Empties all rows for an image.
   * @param {import("../engine/protocol.js").Aspect} aspect
   * @param {number} d bits of a token
   */
  begin(aspect, d) {
    this.#aspect = aspect;
    this.#d = d;
    this.#steps = new Map();
    this.#cells = new Map();
    this.#rows.replaceChildren();
    this.#rows.style.setProperty("--scales", String(aspect.scales.length));
    for (const { id } of ROWS.slice(0, 3)) this.#add(id);
    this.choose("flipped", Math.min(this.chosen.k, aspect.scales.length));
    this.#explain();
  }

  /** What was shown of a path is shown no more. @param {string} id */
  clear(id) {
    this.#steps.delete(id);
    this.#cells.get(id)?.[0]?.closest(".lab-row")?.remove();
    this.#cells.delete(id);
  }

  /** @param {LabView} view */
  view(view) {
    for (const input of document.querySelectorAll("input[name=lab-view]")) {
      if (input.getAttribute("value") === view && input instanceof HTMLInputElement) input.click();
    }
  }

  /**
   * A path has come a scale further, or the scale is another than before.
   * @param {string} id
   * @param {Step} step
   */
  set(id, step) {
    if (!this.#cells.has(id)) this.#add(id);
    const steps = this.#steps.get(id) ?? [];
    steps[step.k - 1] = step;
    this.#steps.set(id, steps);
    this.#explain();
    this.#paint(id, step.k);
    if (this.chosen.row === id && this.chosen.k === step.k) this.#choose();
  }

  /** @param {string} id */
  steps(id) {
    return this.#steps.get(id) ?? [];
  }

  /** The chosen cell, if it was computed already. */
  get close() {
    const { row: id, k } = this.chosen;
    const row = ROWS.find((row) => row.id === id);
    const step = this.#steps.get(id)?.[k - 1];
    return row && step && { row, step, before: this.#before(row, k) };
  }

  /**
   * The same bits are flipped on all paths: those in which the path with the old residuals differs.
   * @param {Row} row
   * @param {number} k
   * @returns {Before}
   */
  #before({ id, against }, k) {
    /** @param {string} row */
    const bits = (row) => this.#steps.get(row)?.[k - 1]?.bits ?? [];
    const undamaged = bits("clean");
    const flipped = id === against ? undamaged : bits("flipped");
    return { clean: bits(against), mask: undamaged.map((word, i) => (word ^ (flipped[i] ?? word)) >>> 0) };
  }

  /**
   * @param {string} id
   * @param {number} k
   */
  choose(id, k) {
    this.chosen = { row: id, k };
    for (const [row, cells] of this.#cells) {
      cells.forEach((cell, i) => cell.setAttribute("aria-pressed", String(row === id && i === k - 1)));
    }
    this.#choose();
  }

  /** @param {string} id */
  #add(id) {
    const row = ROWS.find((row) => row.id === id);
    const aspect = this.#aspect;
    if (!row || !aspect) return;
    const cells = aspect.scales.map((grid, i) => {
      const cell = makeCell(row, i + 1, grid, aspect.width / aspect.height);
      cell.addEventListener("click", () => this.choose(id, i + 1));
      return cell;
    });
    const swatch = make("span", { class: `swatch-line path-${id}`, "aria-hidden": "true" });
    const head = make("div", { class: "lab-head" }, make("strong", {}, swatch, row.name), make("span", { class: "help" }, row.words));
    const made = make("div", { class: "lab-row", role: "group", "aria-label": row.name }, head, ...cells);
    this.#cells.set(id, cells);
    const order = ROWS.map(({ id }) => id);
    const next = order.slice(order.indexOf(id) + 1).find((other) => this.#cells.has(other));
    this.#rows.insertBefore(made, (next && this.#cells.get(next)?.[0]?.closest(".lab-row")) || null);
  }

  #paintAll() {
    for (const [id, steps] of this.#steps) steps.forEach(({ k }) => this.#paint(id, k));
    this.#explain();
  }

  /**
   * @param {string} id
   * @param {number} k
   */
  #paint(id, k) {
    const cell = this.#cells.get(id)?.[k - 1];
    const step = this.#steps.get(id)?.[k - 1];
    const row = ROWS.find((row) => row.id === id);
    if (!cell || !step || !row) return;
    const clean = this.#steps.get(row.against)?.[k - 1];
    describeCell(cell, row, step, clean, this.#d);
    const canvas = cell.querySelector("canvas");
    if (!canvas) return;
    canvas.classList.toggle("cells", this.#view === "bits");
    if (this.#view === "bits") paint(canvas, planeSheet(step, this.#before(row, k), this.#d));
    else if (this.#view === "change" && clean && clean !== step) paint(canvas, change(step, clean, this.#gain()));
    else paint(canvas, this.#view === "change" ? change(step, step, 1) : picture(step));
  }

  /** The whole factor that changes are multiplied by: the greatest of all fills the range of colors. */
  #gain() {
    let greatest = 0;
    for (const { id, against } of ROWS) {
      if (id === against) continue;
      for (const step of this.#steps.get(id) ?? []) {
        const clean = this.#steps.get(against)?.[step.k - 1];
        if (clean) greatest = Math.max(greatest, greatestChange(step, clean));
      }
    }
    return Math.min(32, Math.max(1, Math.floor(127 / Math.max(1, greatest))));
  }

  #explain() {
    const gain = this.#view === "change" ? this.#gain() : 1;
    const times = gain > 1 ? `, multiplied by ${gain}` : "";
    this.#legend.textContent = {
      picture: "Below a cell: bits that differ from the clean path. Choose a cell to look at its bits.",
      change: `Gray is where nothing moved; colors are differences from the clean path${times}.`,
      bits: "All bit planes of a scale: dim where they are those of the clean path.",
    }[this.#view];
  }
}
