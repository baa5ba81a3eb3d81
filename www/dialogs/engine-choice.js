// Which engine computes, in the dialog about models: the visitor's choice, kept in the page's address, and what WebGPU lacks here.

import { survey } from "../engine/device.js";
import { element, make } from "../ui/dom.js";
import { parameter, setParameter } from "../ui/query.js";

/** @typedef {import("../engine/protocol.js").EngineChoice} Choice */

export class EngineChoice {
  #inputs = /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("input[name=engine]"));

  /** @param {(choice: Choice) => void} choose called when another one is chosen */
  constructor(choose) {
    const before = named(parameter("engine"));
    for (const input of this.#inputs) {
      input.checked = input.value === before;
      input.addEventListener("change", () => {
        setParameter("engine", input.value === "auto" ? null : input.value);
        choose(this.choice);
      });
    }
  }

  /** @returns {Choice} */
  get choice() {
    return named([...this.#inputs].find(({ checked }) => checked)?.value);
  }

  /** Lists what stands against WebGPU in this browser. */
  async check() {
    const { usable, shortfalls } = await survey();
    const lines = shortfalls.length || !usable ? shortfalls : ["WebGPU has all that the engine needs."];
    element("engine-checks", HTMLElement).replaceChildren(...lines.map((line) => make("li", {}, line)));
  }
}

/** @param {string | null | undefined} name @returns {Choice} */
const named = (name) => (name === "cpu" || name === "webgpu" ? name : "auto");
