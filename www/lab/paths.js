// The paths of the lab side by side: a row for each, a cell for every scale, as picture, as change or as bits.

import { planes } from "../image/bits.js";
import { element, make } from "../ui/dom.js";
import { paint, picture } from "../image/drawing.js";
import { decibels } from "../ui/format.js";

/** @typedef {import("../engine/protocol.js").Scale} Scale */
/** @typedef {import("../engine/protocol.js").Path} Path */
/** @typedef {import("../engine/protocol.js").Words} Words */
/** @typedef {"picture" | "change" | "bits"} LabView */

/** What the bits of a scale were, and which of them were flipped. @typedef {{ clean: Words, mask: Words }} Before */
/** What a scale of any path has. @typedef {Pick<Scale, "k" | "height" | "width" | "bits" | "image" | "deviation">} Step */

/**
 * A row; `against` is the row without flips that it is compared with.
 * @typedef {{ id: string, name: string, words: string, against: string }} Row
 */

/** @type {Row[]} */
export const ROWS = [
  { id: "clean", name: "Clean path", words: "no bit is flipped", against: "clean" },
  { id: "flipped", name: "Old residuals", words: "bits flipped, all else kept", against: "clean" },
  { id: "requantised", name: "Re-quantised", words: "later residuals see the flips", against: "clean" },
  { id: "model-clean", name: "Transformer, no flips", words: "what it draws by itself", against: "model-clean" },
  { id: "model", name: "Transformer, flipped", words: "it goes on from the damage", against: "model-clean" },
  { id: "twin-clean", name: "Twin, no flips", words: "teacher forcing, by itself", against: "twin-clean" },
  { id: "twin", name: "Twin, flipped", words: "it was never taught to correct", against: "twin-clean" },
];

export class Paths {
  #rows = element("lab-rows", HTMLElement);
  #gain = element("lab-gain", HTMLElement);
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
    this.#tellGain();
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
    this.#tellGain();
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
    const cells = aspect.scales.map(([h, w], i) => {
      const canvas = make("canvas", { width: "1", height: "1" });
      const frame = make("span", { class: "picture", "aria-hidden": "true" }, canvas);
      frame.style.setProperty("--ratio", String(aspect.width / aspect.height));
      const cell = make(
        "button",
        { type: "button", disabled: true, "aria-pressed": "false" },
        frame,
        make("span", { class: "unseen" }, `${row.name}, scale ${i + 1}`),
        make("span", { class: "lab-differs number", "aria-hidden": "true" }, `${h}×${w}`),
        make("span", { class: "lab-psnr number", "aria-hidden": "true" }, "\u00a0"),
      );
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
    this.#tellGain();
  }

  /**
   * @param {string} id
   * @param {number} k
   */
  #paint(id, k) {
    const cell = this.#cells.get(id)?.[k - 1];
    const canvas = cell?.querySelector("canvas");
    const caption = cell?.querySelector(".lab-differs");
    const likeness = cell?.querySelector(".lab-psnr");
    const said = cell?.querySelector(".unseen");
    const step = this.#steps.get(id)?.[k - 1];
    const row = ROWS.find((row) => row.id === id);
    if (!cell || !canvas || !caption || !likeness || !said || !step || !row) return;
    const clean = this.#steps.get(row.against)?.[k - 1];
    const differing = clean ? countDiffering(step.bits, clean.bits) : 0;
    const total = step.height * step.width * this.#d;
    // Where cells are narrow the share has to do.
    const count = make("span", { class: "lab-count" }, `${differing} · `);
    if (differing) caption.replaceChildren(count, percent(differing / total));
    else caption.textContent = `${step.height}×${step.width}`;
    caption.classList.toggle("is-flipped", differing > 0 && (step.deviation?.flipped ?? 0) > 0);
    caption.classList.toggle("is-answer", differing > 0 && !step.deviation?.flipped);
    const words = differing ? `${differing} of ${total} bits differ, ${percent(differing / total)}` : "no bit differs";
    const { deviation } = step;
    const error = deviation ? `, distance ${deviation.error.toFixed(3)}, ${deviation.psnr === Infinity ? "" : "PSNR "}${decibels(deviation.psnr)}` : "";
    likeness.textContent = deviation ? decibels(deviation.psnr) : "\u00a0";
    said.textContent = `${row.name}, scale ${k}: ${words}${error}`;
    cell.title = words + error;
    cell.disabled = false;
    canvas.classList.toggle("cells", this.#view === "bits");
    if (this.#view === "bits") paint(canvas, sheet(step, this.#before(row, k), this.#d));
    else if (this.#view === "change" && clean && clean !== step) paint(canvas, change(step, clean, this.#strength()));
    else paint(canvas, this.#view === "change" ? change(step, step, 1) : picture(/** @type {Scale} */ (step)));
  }

  /** Whole times that changes are made stronger: the greatest of all fills the range of colours. */
  #strength() {
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

  #tellGain() {
    const strength = this.#view === "change" ? this.#strength() : 1;
    const times = strength > 1 ? `, ${strength} times as strong as they are` : "";
    this.#gain.textContent = {
      picture: "Below a cell: bits that differ from the clean path. Choose a cell to look at its bits.",
      change: `Gray is where nothing moved; colours are differences from the clean path${times}.`,
      bits: "All bit planes of a scale: dim where they are those of the clean path.",
    }[this.#view];
  }
}

/** @param {number} part */
export function percent(part) {
  return `${(100 * part).toFixed(part < 0.0995 ? 1 : 0)} %`;
}

/**
 * @param {Words} a
 * @param {Words} b
 */
export function countDiffering(a, b) {
  let count = 0;
  a.forEach((word, i) => {
    for (let bits = (word ^ (b[i] ?? 0)) >>> 0; bits; bits &= bits - 1) count++;
  });
  return count;
}

/** @type {WeakMap<Uint8Array, [Uint8Array, number]>} */
const changes = new WeakMap();

/**
 * @param {Step} step
 * @param {Step} clean
 */
function greatestChange(step, clean) {
  const known = changes.get(step.image.rgba);
  if (known?.[0] === clean.image.rgba) return known[1];
  let greatest = 0;
  step.image.rgba.forEach((level, i) => (greatest = Math.max(greatest, Math.abs(level - (clean.image.rgba[i] ?? level)))));
  changes.set(step.image.rgba, [clean.image.rgba, greatest]);
  return greatest;
}

/**
 * @param {Step} step
 * @param {Step} clean
 * @param {number} strength
 */
function change({ image }, clean, strength) {
  const pixels = new ImageData(image.width, image.height);
  image.rgba.forEach((level, i) => {
    pixels.data[i] = i % 4 === 3 ? 255 : 128 + strength * (level - (clean.image.rgba[i] ?? level));
  });
  return pixels;
}

/** By what became of a bit, and its value. @type {Record<"same" | "flipped" | "answer", [number[], number[]]>} */
const COLOURS = {
  same: [[42, 46, 68, 255], [98, 104, 132, 255]],
  flipped: [[214, 69, 56, 255], [255, 138, 122, 255]],
  answer: [[72, 104, 226, 255], [150, 172, 255, 255]],
};

/**
 * All bit planes of a scale, each cell by what became of it.
 * @param {Step} step
 * @param {Before} before
 * @param {number} d
 * @param {number} [plane] to frame, from 0
 */
export function sheet({ bits, height, width }, { clean, mask }, d, plane) {
  const cells = planes(bits, height, width, d);
  const before = planes(clean, height, width, d).cells;
  const flipped = planes(mask, height, width, d).cells;
  const zoom = Math.max(2, Math.floor(512 / Math.max(cells.width, cells.height)));
  const columns = (cells.width + 1) / (width + 1);
  const pixels = new ImageData((cells.width + 2) * zoom, (cells.height + 2) * zoom);
  for (let y = 0; y < pixels.height; y++) {
    for (let x = 0; x < pixels.width; x++) {
      const [column, row] = [Math.floor(x / zoom) - 1, Math.floor(y / zoom) - 1];
      const inside = column >= 0 && row >= 0 && column < cells.width && row < cells.height;
      const i = row * cells.width + column;
      const cell = inside ? cells.cells[i] ?? -1 : -1;
      if (cell >= 0) {
        const what = flipped[i] === 1 ? "flipped" : cell === before[i] ? "same" : "answer";
        pixels.data.set(COLOURS[what][cell === 1 ? 1 : 0], 4 * (y * pixels.width + x));
      } else if (plane !== undefined && frames(plane, column, row, columns, width, height)) {
        pixels.data.set([236, 179, 64, 255], 4 * (y * pixels.width + x));
      }
    }
  }
  return pixels;
}

/**
 * Whether an empty cell belongs to the frame around a plane.
 * @param {number} plane
 * @param {number} column
 * @param {number} row
 * @param {number} columns of planes
 * @param {number} width
 * @param {number} height
 */
function frames(plane, column, row, columns, width, height) {
  const [left, top] = [(plane % columns) * (width + 1) - 1, Math.floor(plane / columns) * (height + 1) - 1];
  const [x, y] = [column - left, row - top];
  return x >= 0 && y >= 0 && x <= width + 1 && y <= height + 1;
}

/**
 * The bit below a place of such a sheet, if there is one.
 * @param {number} x part of the sheet's width
 * @param {number} y part of its height
 * @param {Step} step
 * @param {number} d
 */
export function bitBelow(x, y, { bits, height, width }, d) {
  const cells = planes(bits, height, width, d);
  const columns = (cells.width + 1) / (width + 1);
  const column = Math.floor(x * (cells.width + 2)) - 1;
  const row = Math.floor(y * (cells.height + 2)) - 1;
  const [tx, ty] = [column % (width + 1), row % (height + 1)];
  const bit = Math.floor(row / (height + 1)) * columns + Math.floor(column / (width + 1));
  const inside = column >= 0 && row >= 0 && column < cells.width && row < cells.height;
  return inside && tx < width && ty < height && bit < d ? { token: ty * width + tx, bit } : undefined;
}

