// The middle of the Draw panel: the frame with its filmstrip, a batch, the lines and buttons below, and earlier images.

import { ImageActions } from "./actions.js";
import { BatchGrid } from "./batch-grid.js";
import { ImageFrame } from "./frame.js";
import { Gallery, thumbnail } from "./gallery.js";
import { History } from "./history.js";
import { picture } from "./result.js";
import { StatusLines } from "./status-lines.js";

/** @typedef {import("./result.js").ImageResult} ImageResult */
/** @typedef {import("./history.js").Entry} Entry */

export class Viewer {
  frame = new ImageFrame();
  lines = new StatusLines();
  actions = new ImageActions(this.frame, this.lines);
  images = new History();
  gallery;
  batch;

  /** Called when the frame shows an image whose scales are there; `edited`: it was generated from what an earlier one kept. @type {(result: ImageResult, edited: boolean) => void} */
  onresult = () => {};

  /**
   * @param {(result: ImageResult) => void} choose called with the image of a batch that is brought up
   * @param {(entry: Entry) => void} reopen called with an earlier image that is asked for again
   */
  constructor(choose, reopen) {
    this.gallery = new Gallery(this.images, reopen);
    this.batch = new BatchGrid((result) => {
      this.show(result);
      choose(result);
    });
    this.images.open().then(() => this.gallery.show());
  }

  /**
   * Puts an image into the frame.
   * @param {ImageResult} result
   * @param {boolean} [growing] whether its scales are still to come
   */
  show(result, growing = false) {
    this.frame.open(result);
    document.title = `${result.title} · Infinity`;
    if (!growing) this.onresult(result, false);
    this.actions.refresh();
  }

  /** An image has a scale more. @param {ImageResult} result */
  grow(result) {
    if (this.frame.result === result) this.frame.grow();
  }

  /**
   * An image has all its scales: it goes to the earlier images.
   * @param {ImageResult} result
   * @param {import("../engine/protocol.js").ModelInfo} model that made it
   * @param {boolean} edited whether it was generated from what an earlier one kept
   */
  finish(result, { codec, name }, edited) {
    if (this.frame.result === result) {
      this.onresult(result, edited);
      this.actions.refresh();
    }
    const last = result.scales.at(-1);
    if (!last) return;
    const { origin, prompt, seed, options, aspect, bits } = result;
    thumbnail(picture(last))
      .then((small) =>
        this.images.add({ time: Date.now(), origin, prompt, seed, options, aspect: aspect.name, bits, codec, model: name, thumbnail: small }),
      )
      .then(() => this.gallery.show());
  }
}
