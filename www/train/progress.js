// How far a training is: figures, curves, and an estimate of how long it takes to learn ten pictures.

import { element, make } from "../ui/dom.js";
import { count, duration, megabytes } from "../ui/format.js";
import { means, plot } from "./curves.js";

/** @typedef {import("../engine/protocol.js").Step} Step */

/** Steps whose mean is the speed. */
const RECENT = 12;
/** Pictures that were looked at until ten were learned, in steps of four: the measure of the page's own estimate. */
const TEN = 200 * 4;
/** Milliseconds that a picture of a step takes the CPU engine with the default model on two cores (docs/performance.md). */
const MEASURED = 480;

export class TrainingProgress {
  #batch;
  #due = false;

  /** @param {() => number} batch pictures of a step, as the form says */
  constructor(batch) {
    this.#batch = batch;
  }

  /**
   * Figures and curves, once a frame at most: in a hidden tab not at all.
   * @param {{ curve: Step[], memory: number }} run
   */
  show(run) {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => {
      this.#due = false;
      this.#figures(run);
      this.#curves(run);
    });
  }

  /** @param {{ curve: Step[], memory: number }} run */
  #figures({ curve, memory }) {
    const last = curve.at(-1);
    const recent = curve.slice(-RECENT);
    const ms = recent.reduce((sum, step) => sum + step.ms, 0) / Math.max(1, recent.length);
    const say = (/** @type {string} */ id, /** @type {string} */ text) => (element(`train-${id}`, HTMLElement).textContent = text);
    say("estimate", this.#estimate(last && ms));
    if (!last) {
      for (const id of ["step", "loss", "accuracy", "speed", "left", "memory"]) say(id, "–");
      return;
    }
    const smooth = (/** @type {(step: Step) => number} */ value) => means(curve.slice(-4 * RECENT).map(value)).at(-1) ?? 0;
    say("step", `${count(last.step)} of ${count(last.of)}`);
    say("loss", smooth(({ loss }) => loss).toFixed(3));
    say("accuracy", `${(100 * smooth(({ accuracy }) => accuracy)).toFixed(1)} %`);
    say("speed", (1000 / ms).toPrecision(2));
    say("left", minutes((last.of - last.step) * ms));
    say("memory", memory ? `${megabytes(memory)} MB` : "–");
  }

  /** How long ten pictures take. @param {number | undefined} ms of a step here, once one is done */
  #estimate(ms) {
    const batch = this.#batch();
    const steps = Math.ceil(TEN / batch);
    const size = batch === 1 ? "one picture" : `${count(batch)} pictures`;
    if (ms !== undefined) {
      return `On this device a step of ${size} takes ${duration(ms)} now, so ten pictures would take about ${minutes(steps * ms)}.`;
    }
    const before = MEASURED * batch;
    return `Without a GPU a step of ${size} took the built-in model about ${duration(before)}, so ten pictures would take about ${minutes(steps * before)}; how long it is here shows after the first step.`;
  }

  /** @param {{ curve: Step[] }} run */
  #curves({ curve }) {
    const steps = curve.map(({ step }) => step);
    const rows = (/** @type {(step: Step) => number[]} */ values) => curve.map(values);
    const losses = rows(({ losses, loss }) => [...losses, loss]);
    const accuracies = rows(({ accuracies, accuracy }) => [...accuracies, accuracy]);
    plot(element("train-losses", HTMLElement), {
      label: "Loss of every scale over the steps",
      steps,
      values: losses,
      top: 0.8,
      ticks: [0, 0.35, 0.7],
      format: (value) => value.toFixed(2),
    });
    plot(element("train-accuracies", HTMLElement), {
      label: "Share of right bits of every scale over the steps",
      steps,
      values: accuracies,
      top: 1,
      ticks: [0, 0.5, 1],
      format: (value) => `${100 * value} %`,
    });
    const scales = Math.max(0, (losses[0]?.length ?? 0) - 1);
    const key = Array.from({ length: scales }, (_, k) => make("li", { class: `scale-${k + 1}` }, `Scale ${k + 1}`));
    element("train-key", HTMLUListElement).replaceChildren(...(scales ? [...key, make("li", { class: "all" }, "All")] : []));
  }
}

/** @param {number} ms */
function minutes(ms) {
  if (ms < 1000) return "0 s";
  if (ms < 90_000) return `${Math.round(ms / 1000)} s`;
  return ms < 5_400_000 ? `${Math.round(ms / 60_000)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
}
