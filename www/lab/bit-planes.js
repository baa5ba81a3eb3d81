// All bit planes of a scale as one picture, colored by what became of each bit.

import { planes } from "../image/bits.js";

/** @typedef {import("./rows.js").Step} Step */
/** @typedef {import("./rows.js").Before} Before */

/** By what became of a bit, and its value. @type {Record<"same" | "flipped" | "answer", [number[], number[]]>} */
const COLORS = {
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
export function planeSheet({ bits, height, width }, { clean, mask }, d, plane) {
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
        pixels.data.set(COLORS[what][cell === 1 ? 1 : 0], 4 * (y * pixels.width + x));
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
