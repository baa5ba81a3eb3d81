// Form fields that the panels' HTML names in one line: each of these elements puts ordinary inputs in its place when the page starts,
// before any panel looks for them by id. They have no state and no behavior of their own.
//
//   <slider-field field="lab-rate" label="Bits that flip" value="20" shown="20 %" min="0" max="50" step="1"></slider-field>
//   <text-field field="train-part" label="Objects" value="apple, car" help="Two or more."></text-field>
//   <number-field field="lab-seed" label="Seed of the flips" value="1" error></number-field>
//   <scale-field field="cfg" label="Guidance" min="1" max="10" step="0.1" help="..."></scale-field>
//   <prompt-palette field="places" label="Place" hidden></prompt-palette>
//   <run-controls panel="lab" start="Flip"></run-controls>
//
// `field` becomes the input's id; what belongs to it has that id with -value, -help, -error or -slider added.

import { make } from "./dom.js";

/** @typedef {(name: string) => string} Attribute an attribute of the element, empty if it is not there */

/** @param {Attribute} get */
const number = (get) => ({ min: get("min"), max: get("max"), step: get("step") });

/**
 * @param {Attribute} get
 * @param {string[]} ends of the ids of what describes the field, where there is such a thing
 * @returns {Record<string, string>}
 */
function described(get, ends) {
  const ids = ends.filter((end) => end === "error" || get(end)).map((end) => `${get("field")}-${end}`);
  return ids.length ? { "aria-describedby": ids.join(" ") } : {};
}

/** @param {Attribute} get */
const help = (get) => (get("help") ? [make("p", { id: `${get("field")}-help`, class: "help" }, get("help"))] : []);

/** @param {Attribute} get */
const error = (get) => make("p", { id: `${get("field")}-error`, class: "error", "aria-live": "polite" });

/** What each element is replaced by. @type {Record<string, (get: Attribute, has: (name: string) => boolean) => HTMLElement[]>} */
const FIELDS = {
  "slider-field": (get) => {
    const [id, label, value] = [get("field"), get("label"), get("value")];
    const shown = make("output", { id: `${id}-value`, for: id, class: "muted number" }, get("shown"));
    const input = make("input", { id, type: "range", ...number(get), value, ...described(get, ["help"]) });
    return [make("div", { class: "field" }, make("label", { for: id }, `${label} `, shown), input, ...help(get))];
  },
  "text-field": (get) => {
    const [id, label] = [get("field"), get("label")];
    const own = { id, autocomplete: "off", spellcheck: "false", value: get("value"), placeholder: get("placeholder") || false };
    const input = make("input", { ...own, ...described(get, ["help"]) });
    return [make("div", { class: "field" }, make("label", { for: id }, label), input, ...help(get))];
  },
  "number-field": (get, has) => {
    const [id, label] = [get("field"), get("label")];
    const wrong = has("error");
    const own = { id, class: "number", inputmode: "numeric", autocomplete: "off", value: get("value") };
    const input = make("input", { ...own, ...(wrong ? described(get, ["error"]) : {}) });
    return [make("div", { class: "field" }, make("label", { for: id }, label), input, ...(wrong ? [error(get)] : []))];
  },
  "scale-field": (get) => {
    const [id, label] = [get("field"), get("label")];
    const [name = ""] = label.split(" (");
    const dial = make(
      "div",
      { class: "dial" },
      make("input", { id: `${id}-slider`, type: "range", ...number(get), "aria-label": `${name} of all scales` }),
      make("input", { id, class: "number", autocomplete: "off", ...described(get, ["help", "error"]) }),
    );
    return [make("div", { class: "field" }, make("label", { for: id }, label), dial, ...help(get), error(get))];
  },
  "prompt-palette": (get) => {
    const [id, label] = [get("field"), get("label")];
    const name = label ? [make("span", { class: "muted", "aria-hidden": "true" }, label)] : [];
    const chips = make("div", { id, class: "chips", role: "group", "aria-label": get("group") || label });
    return [make("div", { class: "palette", hidden: true }, ...name, chips)];
  },
  "run-controls": (get) => {
    const panel = get("panel");
    const start = make("button", { id: `${panel}-start`, class: "primary", disabled: true }, get("start"));
    const stop = make("button", { id: `${panel}-stop`, type: "button", class: "quiet", disabled: true }, "Stop");
    return [make("div", { class: "actions" }, start, stop), make("p", { id: `${panel}-status`, class: "number help", role: "status" })];
  },
};

for (const [name, build] of Object.entries(FIELDS)) {
  customElements.define(
    name,
    class extends HTMLElement {
      connectedCallback() {
        this.replaceWith(...build((name) => this.getAttribute(name) ?? "", (name) => this.hasAttribute(name)));
      }
    },
  );
}
