// Earlier images as a row of small pictures, each a button that brings it back.

import { element, make } from "../ui/dom.js";

/** @typedef {import("./history.js").Entry} Entry */

export class Gallery {
  #section = element("history", HTMLElement);
  #list = element("gallery", HTMLUListElement);
  #clear = element("history-clear", HTMLButtonElement);
  #history;
  #open;
  /** @type {Map<Entry, HTMLLIElement>} */
  #items = new Map();

  /**
   * @param {import("./history.js").History} history
   * @param {(entry: Entry) => void} open
   */
  constructor(history, open) {
    this.#history = history;
    this.#open = open;
    this.#clear.addEventListener("click", () => {
      // The second press within a few seconds means it.
      if (this.#clear.dataset.sure) {
        this.#ask(false);
        history.clear().then(() => this.show());
      } else {
        this.#ask(true);
        setTimeout(() => this.#ask(false), 4000);
      }
    });
  }

  show() {
    const { entries } = this.#history;
    this.#section.hidden = entries.length === 0;
    for (const [entry, item] of this.#items) {
      if (entries.includes(entry)) continue;
      this.#items.delete(entry);
      URL.revokeObjectURL(item.querySelector("img")?.src ?? "");
    }
    this.#list.replaceChildren(...entries.map((entry) => this.#item(entry)));
  }

  /** @param {boolean} sure */
  #ask(sure) {
    if (sure) this.#clear.dataset.sure = "asked";
    else delete this.#clear.dataset.sure;
    this.#clear.textContent = sure ? "Press again to delete all" : "Delete all";
  }

  /** @param {Entry} entry */
  #item(entry) {
    const made = this.#items.get(entry);
    if (made) return made;
    const seed = entry.seed === null ? "" : `, seed ${entry.seed}`;
    const label = `${entry.prompt || (entry.origin === "read" ? "An image read into tokens" : "A shared image")}${seed}`;
    const open = make(
      "button",
      { type: "button", class: "thumb", title: label, "aria-label": label },
      make("img", { src: URL.createObjectURL(entry.thumbnail), alt: "" }),
    );
    open.addEventListener("click", () => this.#open(entry));
    const remove = make("button", { type: "button", class: "remove", "aria-label": `Delete ${label}` }, "×");
    remove.addEventListener("click", () => this.#history.remove(entry).then(() => this.show()));
    const item = make("li", {}, open, remove);
    this.#items.set(entry, item);
    return item;
  }
}

/**
 * A small picture of an image.
 * @param {ImageData} image
 * @returns {Promise<Blob>}
 */
export async function thumbnail(image) {
  const side = 160;
  const factor = Math.min(1, side / Math.max(image.width, image.height));
  const size = { resizeWidth: Math.round(image.width * factor), resizeHeight: Math.round(image.height * factor) };
  const small = await createImageBitmap(image, { ...size, resizeQuality: "high" });
  const canvas = new OffscreenCanvas(small.width, small.height);
  canvas.getContext("2d")?.drawImage(small, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}
