// The visitor's pictures, each with its caption: chosen, dropped, captioned, removed. They are cut to squares of the model's size.

import { element, make } from "../ui/dom.js";
import { paint } from "../image/result.js";

/** @typedef {import("./draft.js").Picture} Picture */

/** More would hold no one's patience. */
const MOST = 50;

export class Pictures {
  #items = element("train-pictures", HTMLUListElement);
  #zone = element("train-album", HTMLElement);
  #input = element("train-files", HTMLInputElement);
  #locked = false;
  /** @type {Picture[]} */
  list = [];
  /** Width and height that the model draws. */
  side = 0;
  /** Called when pictures or captions have changed. */
  onchange = () => {};
  /** Called with what is wrong with a file. @type {(message: string) => void} */
  onerror = () => {};

  constructor() {
    this.#input.addEventListener("change", () => {
      void this.add([...(this.#input.files ?? [])]);
      this.#input.value = "";
    });
    // On this part of the page a dropped picture is one to learn, not one to draw from.
    element("train", HTMLElement).addEventListener("drop", (event) => {
      const files = [...(event.dataTransfer?.files ?? [])].filter((file) => file.type.startsWith("image/"));
      if (!files.length) return;
      event.preventDefault();
      event.stopPropagation();
      document.body.classList.remove("dropping");
      void this.add(files);
    });
  }

  /** @param {boolean} locked */
  lock(locked) {
    this.#locked = locked;
    this.#input.disabled = locked;
    for (const field of this.#zone.querySelectorAll("li input, li button")) {
      /** @type {HTMLInputElement} */ (field).disabled = locked;
    }
  }

  /** @param {File[]} files */
  async add(files) {
    if (this.#locked || !this.side) return;
    for (const file of files) {
      if (this.list.length >= MOST) {
        this.onerror(`${MOST} pictures are the most.`);
        break;
      }
      try {
        this.list.push({ caption: captionOf(file.name), rgba: await square(file, this.side), side: this.side });
      } catch {
        this.onerror(`${file.name} is no image that the browser can read; try a PNG or JPEG.`);
      }
    }
    this.show();
    this.onchange();
  }

  /** Takes the size that another model draws. @param {number} side */
  fit(side) {
    this.side = side;
    for (const picture of this.list) if (picture.side !== side) Object.assign(picture, rescaled(picture, side));
    this.show();
  }

  /** What the engine learns from. @returns {import("../engine/protocol.js").TrainingData} */
  data() {
    const rgba = new Uint8Array(4 * this.side * this.side * this.list.length);
    this.list.forEach((picture, i) => rgba.set(picture.rgba, (i * rgba.length) / this.list.length));
    return { captions: this.list.map(({ caption }) => caption.trim()), rgba };
  }

  show() {
    element("train-count", HTMLElement).textContent = this.list.length ? `${this.list.length}` : "";
    element("train-empty", HTMLElement).hidden = this.list.length > 0;
    this.#items.replaceChildren(...this.list.map((picture, i) => this.#item(picture, i)));
    this.lock(this.#locked);
  }

  /**
   * @param {Picture} picture
   * @param {number} i
   */
  #item(picture, i) {
    const canvas = make("canvas", { role: "img", "aria-label": `Picture ${i + 1}` });
    paint(canvas, new ImageData(picture.rgba, picture.side, picture.side));
    const caption = make("input", { "aria-label": `Caption of picture ${i + 1}`, autocomplete: "off", spellcheck: "false" });
    caption.value = picture.caption;
    caption.addEventListener("input", () => {
      picture.caption = caption.value;
      this.onchange();
    });
    const remove = make("button", { type: "button", class: "remove", "aria-label": `Remove picture ${i + 1}` }, "×");
    remove.addEventListener("click", () => {
      this.list = this.list.filter((other) => other !== picture);
      this.show();
      this.onchange();
    });
    return make("li", {}, canvas, caption, remove);
  }
}

/** "my-blue_cup.PNG" -> "my blue cup"; what cameras call their files says nothing. @param {string} name */
function captionOf(name) {
  const words = name.replace(/\.\w+$/, "").replace(/[^\p{L}\p{N}]+/gu, " ").trim().toLowerCase();
  return /^(img|dsc|dscn|pxl|image|photo|screenshot)?\s*[\d\s]*$/.test(words) ? "" : words;
}

/**
 * @param {Picture} picture
 * @param {number} side
 */
function rescaled({ rgba, side: before }, side) {
  const [from, to] = [new OffscreenCanvas(before, before), new OffscreenCanvas(side, side)];
  from.getContext("2d")?.putImageData(new ImageData(rgba, before, before), 0, 0);
  const context = to.getContext("2d");
  if (!context) throw new Error("there is no canvas");
  context.imageSmoothingQuality = "high";
  context.drawImage(from, 0, 0, side, side);
  return { rgba: context.getImageData(0, 0, side, side).data, side };
}

/**
 * The middle of an image as a square, on white.
 * @param {Blob} file
 * @param {number} side
 */
async function square(file, side) {
  const bitmap = await createImageBitmap(file);
  const context = new OffscreenCanvas(side, side).getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("there is no canvas");
  const part = Math.min(bitmap.width, bitmap.height);
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, side, side);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, (bitmap.width - part) / 2, (bitmap.height - part) / 2, part, part, 0, 0, side, side);
  bitmap.close();
  return context.getImageData(0, 0, side, side).data;
}
