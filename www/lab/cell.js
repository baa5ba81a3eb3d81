// A cell of the lab: one scale of one path, as a button with its picture, and in words what differs from the path without flips.

import { make } from "../ui/dom.js";
import { decibels } from "../ui/format.js";
import { countDiffering, percent } from "./difference.js";

/** @typedef {"picture" | "change" | "bits"} LabView */
/** @typedef {import("./rows.js").Row} Row */
/** @typedef {import("./rows.js").Step} Step */

/**
 * @param {Row} row
 * @param {number} k scale, from 1
 * @param {[number, number]} grid height and width in tokens
 * @param {number} ratio of the picture, width to height
 */
export function makeCell({ name }, k, [height, width], ratio) {
  const frame = make("span", { class: "picture", "aria-hidden": "true" }, make("canvas", { width: "1", height: "1" }));
  frame.style.setProperty("--ratio", String(ratio));
  return make(
    "button",
    { type: "button", disabled: true, "aria-pressed": "false" },
    frame,
    make("span", { class: "unseen" }, `${name}, scale ${k}`),
    make("span", { class: "lab-differs number", "aria-hidden": "true" }, `${height}×${width}`),
    make("span", { class: "lab-psnr number", "aria-hidden": "true" }, "\u00a0"),
  );
}

/**
 * @param {HTMLButtonElement} cell
 * @param {Row} row
 * @param {Step} step
 * @param {Step | undefined} clean the same scale without flips
 * @param {number} d bits of a token
 */
export function describeCell(cell, { name }, step, clean, d) {
  const [caption, likeness, spoken] = [".lab-differs", ".lab-psnr", ".unseen"].map((part) => cell.querySelector(part));
  if (!caption || !likeness || !spoken) return;
  const differing = clean ? countDiffering(step.bits, clean.bits) : 0;
  const total = step.height * step.width * d;
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
  spoken.textContent = `${name}, scale ${step.k}: ${words}${error}`;
  cell.title = words + error;
  cell.disabled = false;
}
