// The page: starts the engine, sends it what the form says, and shows what comes back.

import { EngineClient, EngineError } from "./engine-client.js";
import { OptionsForm } from "./form.js";
import { count, duration, megabytes, sentence } from "./format.js";
import { Stage, element } from "./stage.js";

/** @typedef {import("./protocol.js").EngineEvent} EngineEvent */
/** @typedef {import("./protocol.js").EngineChoice} EngineChoice */

const MODEL = "models/default/manifest.json";
const PHASES = { engine: "Loading the engine", tokenizer: "Loading the words", weights: "Loading the model" };
const ENGINES = { webgpu: "WebGPU", cpu: "CPU" };

const address = new URLSearchParams(location.search);
const stage = new Stage();
const form = new OptionsForm();
const status = element("status", HTMLElement);
const unlearned = element("note", HTMLElement);
const engineLine = element("engine", HTMLElement);
const generate = element("generate", HTMLButtonElement);
const stop = element("stop", HTMLButtonElement);
const save = element("save", HTMLButtonElement);
const retry = element("retry", HTMLButtonElement);

/** @type {EngineClient | undefined} */
let client;
/** @type {"webgpu" | "cpu" | undefined} the engine that runs, which an automatic choice may have picked */
let running;
let seed = 0;

/**
 * Starts an engine in place of the one before.
 * @param {EngineChoice} choice
 * @param {string} [note] said once the engine is ready
 */
async function start(choice, note) {
  client?.dispose();
  client = new EngineClient();
  const mine = client;
  running = undefined;
  work("loading");
  retry.hidden = true;
  form.clearErrors();
  engineLine.textContent = "";
  stage.veil(PHASES.engine, {});
  try {
    const model = await mine.load(address.get("model") ?? MODEL, choice, onLoading);
    element("model", HTMLElement).textContent =
      `${model.name}: ${count(model.parameters)} parameters, ${megabytes(model.bytes)} MB, ${model.licence}.`;
    form.fill(model);
    stage.veil("Type a prompt and press Generate");
    status.textContent = note ?? "Ready.";
    work("idle");
  } catch (error) {
    if (mine !== client) return; // another engine was chosen meanwhile
    if (isCrash(error) && running === "webgpu" && choice === "auto") {
      return start("cpu", "WebGPU failed while loading, so the CPU engine took over.");
    }
    stage.veil("The model is not loaded");
    retry.hidden = false;
    form.showError(null, explain(error));
    status.textContent = "";
    work("failed");
  }
}

/** @param {EngineEvent} event */
function onLoading(event) {
  if (event.type === "device") {
    running = event.engine;
    engineLine.textContent = `${ENGINES[event.engine]} engine: ${event.reason}.`;
  } else if (event.type === "progress") {
    const { loaded, total } = event;
    const detail = total > 0 ? `${megabytes(loaded)} of ${megabytes(total)} MB` : `${megabytes(loaded)} MB`;
    stage.veil(PHASES[event.phase], { detail, ...(total > 0 && { fraction: loaded / total }) });
  }
}

/** @param {EngineEvent} event */
function onDrawing(event) {
  if (event.type === "started") {
    seed = event.seed;
    stage.begin(event);
    document.title = `${event.prompt} · Infinity`;
    const words = event.unknownWords.map((word) => `“${word}”`).join(", ");
    unlearned.textContent = words && `The model has not learned ${words}; it draws the rest.`;
    status.textContent = "Drawing.";
  } else if (event.type === "scale") {
    stage.add(event);
    save.disabled = false;
    status.textContent = `Scale ${event.k} of ${event.of} in ${duration(event.ms)}`;
  }
}

async function draw() {
  if (!client || generate.disabled) return;
  form.clearErrors();
  unlearned.textContent = "";
  work("drawing");
  const engine = running;
  try {
    const end = await client.generate(form.read(), onDrawing);
    status.textContent =
      end.type === "finished"
        ? `${ENGINES[engine ?? "cpu"]}, seed ${end.seed}, ${duration(end.ms)} in all`
        : `Stopped after scale ${end.scales}.`;
    work("idle");
  } catch (error) {
    if (isCrash(error)) {
      const chosen = choice();
      if (engine === "webgpu" && chosen === "auto") return start("cpu", "WebGPU failed, so the CPU engine took over.");
      return start(chosen, "The engine stopped unexpectedly and has been started again.");
    }
    if (error instanceof EngineError && error.code === "disposed") return;
    form.showError(error instanceof EngineError ? error.field : null, explain(error));
    work("idle");
  }
}

/** @param {"loading" | "idle" | "drawing" | "failed"} state */
function work(state) {
  document.body.dataset.state = state;
  generate.disabled = state !== "idle";
  stop.disabled = state !== "drawing";
}

/** @returns {EngineChoice} */
function choice() {
  const checked = document.querySelector("input[name=engine]:checked")?.getAttribute("value");
  return checked === "webgpu" || checked === "cpu" ? checked : "auto";
}

/** @param {unknown} error */
function isCrash(error) {
  return error instanceof EngineError && error.code === "crashed";
}

/** @param {unknown} error */
function explain(error) {
  if (isCrash(error)) return "The engine stopped unexpectedly; try again, or choose the other engine under Advanced.";
  return sentence(error instanceof Error ? error.message : String(error));
}

form.onaspect = (aspect) => stage.expect(aspect);
element("form", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  draw();
});
element("prompt", HTMLTextAreaElement).addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  draw();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !stop.disabled) client?.cancel();
});
stop.addEventListener("click", () => client?.cancel());
retry.addEventListener("click", () => start(choice()));
save.addEventListener("click", async () => {
  const png = await stage.png();
  if (!png) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(png);
  link.download = `infinity-seed-${seed}-scale-${stage.shown}.png`;
  link.click();
  URL.revokeObjectURL(link.href);
});

const asked = address.get("engine");
for (const input of document.querySelectorAll("input[name=engine]")) {
  if (!(input instanceof HTMLInputElement)) continue;
  input.checked = input.value === (asked === "cpu" || asked === "webgpu" ? asked : "auto");
  input.addEventListener("change", () => start(choice()));
}
start(choice());
