// The curves of a training: one line a scale and a thick one for all, over the steps.

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [320, 150];
const MARGIN = { left: 34, right: 6, top: 6, bottom: 18 };
/** Single batches jump: the lines are running means over about this many steps. */
const SMOOTHING = 8;
/** Points of a line; more cannot be distinguished. */
const POINTS = 160;

/**
 * Draws the curves anew into `place`.
 * @param {HTMLElement} place
 * @param {object} curves
 * @param {string} curves.label said to those who do not see
 * @param {number[]} curves.steps
 * @param {number[][]} curves.values for every step the value of every scale, and of all at the end
 * @param {number} curves.top end of the axis
 * @param {number[]} curves.ticks
 * @param {(value: number) => string} curves.format
 */
export function plot(place, { label, steps, values, top, ticks, format }) {
  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label });
  const last = Math.max(1, steps.at(-1) ?? 1);
  const x = (/** @type {number} */ step) => MARGIN.left + (step / last) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (/** @type {number} */ value) => HEIGHT - MARGIN.bottom - (Math.min(value, top) / top) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  for (const tick of ticks) {
    svg.append(shape("line", { class: "grid", x1: MARGIN.left, x2: WIDTH - MARGIN.right, y1: y(tick), y2: y(tick) }));
    svg.append(text(format(tick), { x: MARGIN.left - 5, y: y(tick) + 3, "text-anchor": "end" }));
  }
  svg.append(text("0", { x: x(0), y: HEIGHT - 4 }), text(String(last), { x: x(last), y: HEIGHT - 4, "text-anchor": "end" }));
  const lines = values[0]?.length ?? 0;
  for (let line = 0; line < lines; line++) {
    const smooth = means(values.map((row) => row[line] ?? 0));
    const every = Math.max(1, Math.floor(steps.length / POINTS));
    const kept = steps.map((step, i) => [step, smooth[i] ?? 0]).filter((_, i) => i % every === 0 || i === steps.length - 1);
    const points = kept.map(([step = 0, value = 0]) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
    svg.append(shape("polyline", { class: line === lines - 1 ? "all" : `scale scale-${line + 1}`, points }));
  }
  place.replaceChildren(svg);
}

/** Running means, in which older values count ever less. @param {number[]} values */
export function means(values) {
  const keep = 1 - 1 / SMOOTHING;
  let [sum, weight] = [0, 0];
  return values.map((value) => {
    sum = keep * sum + value;
    weight = keep * weight + 1;
    return sum / weight;
  });
}

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 */
function shape(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}

/**
 * @param {string} content
 * @param {Record<string, string | number>} attributes
 */
function text(content, attributes) {
  const made = shape("text", attributes);
  made.textContent = content;
  return made;
}
