// A visitor's image, dropped, pasted or chosen; and whatever else is dropped.

import { element } from "../ui/dom.js";
import { dropped, ofModel } from "../ui/dropped-files.js";

export class ImageInput {
  /**
   * @param {(file: Blob) => void} take
   * @param {(files: File[]) => void} model gets what is dropped of a model
   * @param {() => void} refuse called for files that are neither
   */
  constructor(take, model, refuse) {
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
    zone.addEventListener("drop", async (event) => {
      // Text may be dropped on the prompt.
      if (!event.dataTransfer?.types.includes("Files")) return;
      // Otherwise the browser would open the file in place of the page.
      event.preventDefault();
      const files = await dropped(event.dataTransfer).catch(() => []);
      const image = files.find(isImage);
      if (image) take(image);
      else if (ofModel(files)) model(files);
      else refuse();
    });
  }
}

/** @param {File} file */
const isImage = (file) => file.type.startsWith("image/");
