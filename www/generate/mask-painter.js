// The edit mask: paints which tokens of the finest scale are generated anew, with a pointer, or with the arrow keys and the space bar.

import { element } from "../ui/dom.js";

/** Pixels of the longer side of the mask's own canvas, about: lines stay thin at every size of the frame. */
const SIDE = 1024;

export class MaskPainter {
  #canvas = element("mask", HTMLCanvasElement);
  #said = element("mask-said", HTMLElement);
  /** Rows and columns of tokens. @type {[number, number]} */
  #grid = [1, 1];
  #cells = new Uint8Array(1);
  /** Where the keyboard is. */
  #cursor = { x: 0, y: 0 };
  #erasing = false;

  /** How far around the pointer it paints, in tokens. */
  radius = 1;
  /** Called when cells have changed. */
  onchange = () => {};

  constructor() {
    const canvas = this.#canvas;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      const { x, y } = this.#under(event);
      // A stroke that begins on a painted cell wipes.
      this.#erasing = this.#cells[Math.floor(y) * this.#grid[1] + Math.floor(x)] === 1;
      this.#stroke(x, y);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.buttons !== 1) return;
      const { x, y } = this.#under(event);
      this.#stroke(x, y);
    });
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("focus", () => this.#paint());
    canvas.addEventListener("blur", () => this.#paint());
  }

  /** Begins anew on a grid of tokens. @param {[number, number]} grid */
  fit([height, width]) {
    if (height !== this.#grid[0] || width !== this.#grid[1]) {
      this.#grid = [height, width];
      this.#cursor = { x: Math.floor(width / 2), y: Math.floor(height / 2) };
      this.#cells = new Uint8Array(height * width);
    }
    this.#paint();
  }

  /** @param {boolean} shown */
  show(shown) {
    this.#canvas.hidden = !shown;
    if (shown) this.#paint();
  }

  clear() {
    this.#cells.fill(0);
    this.#paint();
    this.onchange();
  }

  get painted() {
    return this.#cells.reduce((sum, cell) => sum + cell, 0);
  }

  /** One number per token of the finest scale, or none while nothing is painted. @returns {number[] | undefined} */
  get cells() {
    return this.painted > 0 ? [...this.#cells] : undefined;
  }

  /**
   * The place below a pointer in tokens. The canvas fills the frame, the mask its middle in its own proportions.
   * @param {PointerEvent} event
   */
  #under(event) {
    const box = this.#canvas.getBoundingClientRect();
    const [height, width] = this.#grid;
    const cell = Math.min(box.width / width, box.height / height);
    return {
      x: (event.clientX - box.left - (box.width - cell * width) / 2) / cell,
      y: (event.clientY - box.top - (box.height - cell * height) / 2) / cell,
    };
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  #stroke(x, y) {
    const [height, width] = this.#grid;
    const reach = this.radius - 0.5;
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const near = Math.hypot(column + 0.5 - x, row + 0.5 - y) <= Math.max(reach, 0.5) + 0.01;
        const within = Math.floor(x) === column && Math.floor(y) === row;
        if (near || within) this.#cells[row * width + column] = this.#erasing ? 0 : 1;
      }
    }
    this.#paint();
    this.onchange();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const [height, width] = this.#grid;
    const { x, y } = this.#cursor;
    if (step) {
      const [dx = 0, dy = 0] = step;
      this.#cursor = { x: Math.min(width - 1, Math.max(0, x + dx)), y: Math.min(height - 1, Math.max(0, y + dy)) };
    } else if (event.key === " " || event.key === "Enter") {
      this.#erasing = this.#cells[y * width + x] === 1;
      this.#stroke(x + 0.5, y + 0.5);
    } else {
      return;
    }
    event.preventDefault();
    const at = this.#cursor;
    const state = this.#cells[at.y * width + at.x] ? "generated anew" : "kept";
    this.#said.textContent = `Row ${at.y + 1}, column ${at.x + 1}: ${state}.`;
    this.#paint();
  }

  #paint() {
    const [height, width] = this.#grid;
    const canvas = this.#canvas;
    const size = Math.ceil(SIDE / Math.max(width, height));
    canvas.width = width * size;
    canvas.height = height * size;
    const context = canvas.getContext("2d");
    if (!context) return;
    const accent = getComputedStyle(canvas).getPropertyValue("accent-color") || "royalblue";
    this.#cells.forEach((cell, i) => {
      const [x, y] = [(i % width) * size, Math.floor(i / width) * size];
      context.strokeStyle = "#ffffff80";
      context.strokeRect(x, y, size, size);
      if (!cell) return;
      context.globalAlpha = 0.62;
      context.fillStyle = accent;
      context.fillRect(x, y, size, size);
      context.globalAlpha = 1;
    });
    if (canvas.matches(":focus-visible")) {
      context.lineWidth = 6;
      context.strokeStyle = "#ffffff";
      context.strokeRect(this.#cursor.x * size + 3, this.#cursor.y * size + 3, size - 6, size - 6);
    }
  }
}
