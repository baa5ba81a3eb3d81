// What the model in training generates of its captions: one picture for each, the newest in place of the one before.

import { paint, picture } from "../image/result.js";
import { element, make } from "../ui/dom.js";
import { count } from "../ui/format.js";

export class Samples {
  #list = element("train-samples", HTMLUListElement);

  /** @param {import("../engine/protocol.js").Sampled} sampled */
  add({ step, index, prompt, image }) {
    const canvas = make("canvas", { role: "img", "aria-label": `Sample: ${prompt}` });
    paint(canvas, picture({ image }));
    const item = make("li", { title: prompt }, canvas, make("span", {}, prompt));
    const before = this.#list.children[index];
    if (before) before.replaceWith(item);
    else this.#list.append(item);
    element("train-sampled", HTMLElement).textContent = `after step ${count(step)}`;
    element("train-unsampled", HTMLElement).hidden = true;
  }

  clear() {
    this.#list.replaceChildren();
  }
}
