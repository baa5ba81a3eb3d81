// A visitor's image, dropped, pasted or chosen, in the shape that fits it best.

import { element } from "./dom.js";

/** @typedef {import("./protocol.js").Aspect} Aspect */

export class VisitorImage {
  /** @param {(file: Blob) => void} take */
  constructor(take) {
    const input = element("image-file", HTMLInputElement);
    const zone = document.body;
    input.addEventListener("change", () => {
      const [file] = input.files ?? [];
      if (file) take(file);
      input.value = "";
    });
    document.addEventListener("paste", (event) => {
      const file = [...(event.clipboardData?.files ?? [])].find(isImage);
      if (!file) return;
      event.preventDefault();
      take(file);
    });
    zone.addEventListener("dragover", (event) => {
      if (![...(event.dataTransfer?.items ?? [])].some(({ kind }) => kind === "file")) return;
      event.preventDefault();
      zone.classList.add("dropping");
    });
    for (const end of ["dragleave", "drop"]) {
      zone.addEventListener(end, (event) => {
        if (event.type === "drop" || /** @type {DragEvent} */ (event).relatedTarget === null) zone.classList.remove("dropping");
      });
    }
    zone.addEventListener("drop", (event) => {
      const file = [...(event.dataTransfer?.files ?? [])].find(isImage);
      if (!file) return;
      event.preventDefault();
      take(file);
    });
  }
}

/** @param {File} file */
const isImage = (file) => file.type.startsWith("image/");

/**
 * The middle of an image in the shape nearest to its own, at that shape's size, on white.
 * @param {Blob} file
 * @param {Aspect[]} aspects
 * @returns {Promise<{ aspect: Aspect, pixels: ImageData }>}
 */
export async function fitted(file, aspects) {
  const bitmap = await createImageBitmap(file);
  /** @param {Aspect} aspect */
  const distance = ({ width, height }) => Math.abs(Math.log((width / height) * (bitmap.height / bitmap.width)));
  const [aspect] = [...aspects].sort((a, b) => distance(a) - distance(b));
  const context = aspect && new OffscreenCanvas(aspect.width, aspect.height).getContext("2d");
  if (!aspect || !context) throw new Error("there is no shape for it");
  const { width, height } = aspect;
  const factor = Math.max(width / bitmap.width, height / bitmap.height);
  const [w, h] = [bitmap.width * factor, bitmap.height * factor];
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, (width - w) / 2, (height - h) / 2, w, h);
  bitmap.close();
  return { aspect, pixels: context.getImageData(0, 0, width, height) };
}
