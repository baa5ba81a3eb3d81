// A visitor's image, dropped, pasted or chosen.

import { element } from "./dom.js";

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
