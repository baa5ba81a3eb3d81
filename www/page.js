// The page: starts the engine, sends it what the form says, and shows what comes back.

import { element, save } from "./ui/dom.js";
import { Drawing, picture } from "./image/drawing.js";
import { EngineClient } from "./engine/client.js";
import { EngineError, isCrash } from "./engine/error.js";
import { fitted } from "./image/fit-to-aspect.js";
import { OptionsForm } from "./generate/options-form.js";
import { decibels, duration, megabytes, sentence } from "./ui/format.js";
import { Gallery, thumbnail } from "./image/gallery.js";
import { History } from "./image/history.js";
import { Keeping } from "./generate/edit-controls.js";
import { Lab } from "./lab/panel.js";
import { prepare } from "./engine/prefetch.js";
import { ModelsDialog, facts } from "./dialogs/models.js";
import { movieType, record } from "./image/movie.js";
import { parts } from "./ui/tabs.js";
import { PerformanceDialog } from "./dialogs/performance.js";
import { ShareError, decodeShare, encodeShare } from "./image/share-link.js";
import { Sheet } from "./image/batch.js";
import { Stage } from "./image/stage.js";
import { Trainer } from "./train/panel.js";
import { VisitorImage } from "./generate/image-input.js";

/** @typedef {import("./engine/protocol.js").EngineEvent} EngineEvent */
/** @typedef {import("./engine/protocol.js").EngineChoice} EngineChoice */
/** @typedef {import("./engine/protocol.js").Options} Options */
/** @typedef {import("./image/history.js").Entry} Entry */

const BUILT_IN = "models/default/manifest.json";
const PHASES = { download: "Loading the model", build: "Building the networks" };
const ENGINES = { webgpu: "WebGPU", cpu: "CPU" };
const SHARED = "#i=";

const address = new URLSearchParams(location.search);
const stage = new Stage();
const form = new OptionsForm();
const keeping = new Keeping();
const performanceDialog = new PerformanceDialog();
const images = new History();
const gallery = new Gallery(images, (entry) => interrupt(() => bringBack(entry)));
const sheet = new Sheet((drawing) => {
  put(drawing, false);
  if (document.body.dataset.state === "idle") status.textContent = `Seed ${drawing.seed}`;
});
const models = new ModelsDialog(
  BUILT_IN,
  (chosen) => {
    source = chosen;
    remember("model", typeof chosen === "string" && chosen !== BUILT_IN ? chosen : null);
    start(choice());
  },
  {
    count: () => ({ pictures: trainer.kept, images: images.kept }),
    async forget() {
      await Promise.all([trainer.forget(), images.clear()]);
      gallery.show();
    },
  },
);
const lab = new Lab({
  work: (act) => interrupt(async () => {
    if (client) await act(client);
  }),
  open: (file) => void interrupt(() => read(file)),
  draw: (prompt) => void interrupt(() => draw({ ...form.read(), prompt }, 1)),
  stop: () => halt(),
});
const trainer = new Trainer({
  async work(act) {
    await interrupt(async () => {
      status.textContent = "The engine is training; Stop pauses it.";
      if (client) await act(client);
      status.textContent = "Ready.";
    });
  },
  pause: () => halt(),
  use(files) {
    source = files;
    remember("model", null);
    element("draw-open", HTMLButtonElement).click();
    void start(choice());
  },
});
const status = element("status", HTMLElement);
const note = element("note", HTMLElement);
const engineLine = element("engine", HTMLElement);
const generate = element("generate", HTMLButtonElement);
const stop = element("stop", HTMLButtonElement);
const retry = element("retry", HTMLButtonElement);
const scaleTools = element("scale-tools", HTMLElement);
const lock = element("lock", HTMLButtonElement);
const takes = ["share", "save", "film"].map((id) => element(id, HTMLButtonElement));

/** @type {EngineClient | undefined} */
let client;
/** @type {import("./engine/protocol.js").Source} */
let source = address.get("model") ?? BUILT_IN;
/** @type {import("./engine/protocol.js").ModelInfo | undefined} */
let model;
/** The last model that came from an address: one that was trained from it has its image tokenizer. */
let lender = { codec: "", address: /** @type {string | null} */ (null) };
/** The engine that runs, which an automatic choice may have picked. @type {"webgpu" | "cpu" | undefined} */
let running;
/** What the engine is at, so that something else can wait for its end. @type {Promise<void>} */
let job = Promise.resolve();

/**
 * Starts an engine in place of the one before.
 * @param {EngineChoice} choice
 * @param {string} [news] said once the engine is ready
 */
async function start(choice, news) {
  client?.dispose();
  client = new EngineClient();
  const mine = client;
  running = undefined;
  work("loading");
  retry.hidden = true;
  form.clearErrors();
  engineLine.textContent = "";
  stage.veil("Starting the engine", {});
  const began = performance.now();
  try {
    model = await mine.load(source, choice, onLoading);
  } catch (error) {
    if (mine !== client) return; // another engine was chosen meanwhile
    const broken = isCrash(error) || (error instanceof EngineError && error.code === "device");
    if (broken && running === "webgpu" && choice === "auto") {
      return start("cpu", "WebGPU failed while loading, so the CPU engine took over.");
    }
    const stopped = error instanceof EngineError && error.code === "disposed";
    stage.veil("The model is not loaded");
    retry.hidden = false;
    if (!stopped) form.showError(null, explain(error));
    lab.fail(stopped ? "Loading was stopped." : explain(error));
    status.textContent = stopped ? "Loading was stopped." : "";
    return work("failed");
  }
  if (typeof source === "string") lender = { codec: model.codec, address: address.get("model") };
  element("model", HTMLElement).textContent = `${model.name}: ${facts(model)}`;
  models.fill(model);
  form.fill(model);
  lab.fill(model, Array.isArray(source));
  trainer.fill(model);
  stage.veil("Type a prompt and press Generate");
  status.textContent = news ?? "Ready.";
  performanceDialog.loaded(model, mine, running, performance.now() - began);
  work("idle");
  navigator.serviceWorker?.register("sw.js").catch(() => {}); // not in every window; the page works without
  if (location.hash.startsWith(SHARED) && !stage.drawing) await interrupt(openLink);
}

/** @param {EngineEvent} event */
function onLoading(event) {
  if (event.type === "device") {
    running = event.engine;
    engineLine.textContent = `${ENGINES[event.engine]} engine: ${event.reason}.`;
    Object.assign(performanceDialog.figures, { engine: ENGINES[event.engine], reason: event.reason });
  } else if (event.type === "progress") {
    const { loaded, total, speed } = event;
    const amount = total > 0 ? `${megabytes(loaded)} of ${megabytes(total)} MB` : `${megabytes(loaded)} MB`;
    const detail = speed > 0 ? `${amount}, ${megabytes(speed)} MB/s` : amount;
    stage.veil(PHASES[event.phase], { detail, ...(event.phase === "download" && total > 0 && { fraction: loaded / total }) });
    if (stage.drawing) status.textContent = `${PHASES[event.phase]}: ${detail}`;
    note.textContent = event.note;
    performanceDialog.figures.loadedBytes = loaded;
  }
}

/**
 * Lets the engine do one thing after it has stopped whatever it does.
 * @param {() => Promise<void>} act
 */
async function interrupt(act) {
  if (document.body.dataset.state === "drawing") halt();
  await job;
  if (document.body.dataset.state !== "idle") return;
  form.clearErrors();
  note.textContent = "";
  work("drawing");
  job = attempt(act);
  await job;
}

/** An error is told, a dead engine replaced. @param {() => Promise<void>} act */
async function attempt(act) {
  const [mine, engine] = [client, running];
  try {
    await act();
    if (mine && mine === client) performanceDialog.measure(mine);
    if (mine === client) work("idle");
  } catch (error) {
    if (mine !== client) return;
    if (isCrash(error)) {
      const chosen = choice();
      if (engine === "webgpu" && chosen === "auto") void start("cpu", "WebGPU failed, so the CPU engine took over.");
      else if (outOfMemory(error)) void start(chosen, explain(error));
      else void start(chosen, "The engine stopped unexpectedly and has been started again.");
      return;
    }
    form.showError(error instanceof EngineError ? error.field : null, explain(error));
    lab.fail(explain(error));
    work("idle");
  }
}

/**
 * Draws one image or a batch.
 * @param {Options} options
 * @param {number} count
 */
async function draw(options, count) {
  const engine = ENGINES[running ?? "cpu"];
  for (let i = 0; i < count; i++) {
    const seed = options.seed + i;
    const end = await drawOne({ ...options, seed }, i, count);
    if (end.type === "cancelled") {
      status.textContent = `Stopped after scale ${end.scales}.`;
      return;
    }
    status.textContent = `${engine}, seed ${seed}, ${duration(end.ms)} in all`;
  }
  if (count > 1) status.textContent = `${engine}, seeds ${options.seed} to ${options.seed + count - 1}; choose one`;
}

/**
 * @param {Options} options
 * @param {number} i of the batch
 * @param {number} count
 */
async function drawOne(options, i, count) {
  if (!client) throw new EngineError("disposed", "the engine was stopped; start another");
  /** @type {Drawing | undefined} */
  let drawing;
  const end = await client.generate(options, (event) => {
    if (event.type === "started") {
      const { prompt, seed, aspect } = event;
      const { keep, ...plain } = options;
      drawing = new Drawing({ origin: "drawn", prompt, seed, aspect, bitsPerToken: model?.bits ?? 0, options: plain });
      if (i === 0) sheet.begin(count);
      if (count === 1 || sheet.shown) put(drawing, true);
      const words = event.unknownWords.map((word) => `“${word}”`).join(", ");
      note.textContent = words && `The model has not learned ${words}; it draws the rest.`;
      status.textContent = "Drawing.";
    } else if (event.type === "scale" && drawing) {
      drawing.scales.push(event);
      if (stage.drawing === drawing) {
        stage.grow();
        element("save", HTMLButtonElement).disabled = false; // what a stopped image has come to can be kept
      }
      if (count > 1) sheet.grow(i, drawing);
      const which = count > 1 ? `Image ${i + 1} of ${count}, scale` : "Scale";
      status.textContent = `${which} ${event.k} of ${event.of} in ${duration(event.ms)}`;
    }
  });
  if (end.type === "finished" && drawing) {
    performanceDialog.ran(drawing, end.ms);
    finish(drawing, options.keep !== undefined);
  }
  return end;
}

/**
 * Puts a drawing on the stage.
 * @param {Drawing} drawing
 * @param {boolean} drawn whether its scales are still to come
 */
function put(drawing, drawn) {
  stage.open(drawing);
  document.title = `${drawing.title} · Infinity`;
  if (!drawn) {
    keeping.offer(drawing, false);
    lab.offer(drawing);
  }
  for (const button of takes) button.disabled = !drawing.finished;
}

/**
 * A drawing has all its scales.
 * @param {Drawing} drawing
 * @param {boolean} kept whether it was drawn from what an earlier one lent
 */
function finish(drawing, kept) {
  const last = drawing.scales.at(-1);
  if (stage.drawing === drawing) {
    keeping.offer(drawing, kept);
    lab.offer(drawing);
    stage.keep(keeping.scales);
    for (const button of takes) button.disabled = false;
    showTools();
  }
  if (!last || !model) return;
  const { codec, name } = model;
  const { origin, prompt, seed, options, aspect, bits } = drawing;
  thumbnail(picture(last))
    .then((small) =>
      images.add({ time: Date.now(), origin, prompt, seed, options, aspect: aspect.name, bits, codec, model: name, thumbnail: small }),
    )
    .then(() => gallery.show());
  if (typeof source === "string") prepare(source);
}

/**
 * Decodes an image from its bits.
 * @param {Pick<Entry, "origin" | "prompt" | "seed" | "options" | "aspect" | "bits">} image
 */
async function decode({ origin, prompt, seed, options, aspect: name, bits }) {
  const aspect = model?.aspects.find((aspect) => aspect.name === name);
  if (!client || !model || !aspect) throw new ShareError("This model has no such shape.");
  const drawing = new Drawing({ origin, prompt, seed, aspect, options, bitsPerToken: model.bits });
  form.choose(name);
  await client.decode(name, bits, (event) => {
    if (event.type !== "scale") return;
    if (event.k === 1) put(drawing, true);
    drawing.scales.push(event);
    if (stage.drawing === drawing) stage.grow();
  });
  if (drawing.finished) {
    put(drawing, false);
    showTools();
  }
  return drawing;
}

/** @param {Entry} entry */
async function bringBack(entry) {
  if (entry.codec !== model?.codec) {
    throw new ShareError(`This image was made by another model (${entry.model}); load that one to see it again.`);
  }
  sheet.begin(1);
  const drawing = await decode(entry);
  if (entry.options) form.write(entry.options);
  status.textContent = drawing.seed === null ? drawing.title : `${drawing.title}, seed ${drawing.seed}`;
}

/** The image of the page's own address. */
async function openLink() {
  if (!model) return;
  const shared = decodeShare(location.hash.slice(SHARED.length), model);
  sheet.begin(1);
  const drawing = await decode({ ...shared, origin: "shared", prompt: "", options: null });
  if (shared.seed !== null) form.seed.set(shared.seed);
  status.textContent = "This image came whole in the link.";
  if (drawing.finished) finish(drawing, false);
}

/** @param {Blob} file */
async function read(file) {
  if (!client || !model) return;
  const { aspect, pixels } = await fitted(file, model.aspects).catch(() => {
    throw new ShareError("This file is no image that the browser can read; try a PNG or JPEG.");
  });
  form.choose(aspect.name);
  status.textContent = "Reading the image.";
  const drawing = new Drawing({ origin: "read", prompt: "", seed: null, aspect, options: null, bitsPerToken: model.bits });
  drawing.original = pixels;
  sheet.begin(1);
  const end = await client.encode(aspect.name, new Uint8Array(pixels.data), (event) => {
    if (event.type === "progress") status.textContent = "Loading the image encoder.";
    if (event.type !== "scale") return;
    if (event.k === 1) put(drawing, true);
    drawing.scales.push(event);
    if (stage.drawing === drawing) stage.grow();
  });
  if (end.type !== "encoded") return;
  drawing.psnr = end.psnr;
  finish(drawing, false);
  const tokens = drawing.scales.reduce((sum, { height, width }) => sum + height * width, 0);
  status.textContent = `Read into ${tokens} tokens, rebuilt at ${decibels(end.psnr.at(-1) ?? 0)}`;
}

/** What can be done from the shown scale. */
function showTools() {
  const { drawing, shown } = stage;
  scaleTools.hidden = !drawing?.finished;
  const kept = keeping.scales === shown;
  lock.setAttribute("aria-pressed", String(kept));
  lock.textContent = kept ? "Kept to here" : "Keep to here";
  lock.disabled = shown === drawing?.aspect.scales.length; // nothing would be left to draw
}

/** @param {"loading" | "idle" | "drawing" | "failed"} state */
function work(state) {
  document.body.dataset.state = state;
  lab.state(state);
  generate.disabled = state !== "idle";
  stop.disabled = state !== "drawing" && state !== "loading";
  element("reroll", HTMLButtonElement).disabled = state !== "idle";
  element("image-file", HTMLInputElement).disabled = state !== "idle";
  trainer.state(state);
}

/** Ends what the engine does, as the visitor wants it. Nothing but its own end ends its loading. */
function halt() {
  trainer.halt();
  if (document.body.dataset.state === "loading") client?.dispose();
  else client?.cancel();
}

/** @returns {EngineChoice} */
function choice() {
  const checked = document.querySelector("input[name=engine]:checked")?.getAttribute("value");
  return checked === "webgpu" || checked === "cpu" ? checked : "auto";
}

/** @param {unknown} error */
const outOfMemory = (error) => error instanceof EngineError && error.code === "out-of-memory";

/** @param {unknown} error */
function explain(error) {
  if (outOfMemory(error)) return "The engine ran out of memory; load a smaller model, or choose the other engine, under Models.";
  if (isCrash(error)) return "The engine stopped unexpectedly; try again, or choose the other engine under Models.";
  return sentence(error instanceof Error ? error.message : String(error));
}

/**
 * Writes a parameter into the page's address, so that a reload or a copied address keeps it.
 * @param {string} name
 * @param {string | null} value
 */
function remember(name, value) {
  if (value === null) address.delete(name);
  else address.set(name, value);
  const query = address.toString();
  window.history.replaceState(null, "", location.pathname + (query && `?${query}`));
}

/** A name for a file of the drawing on the stage. @param {string} ending */
function fileName(ending) {
  const title = stage.drawing?.title.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 60) ?? "image";
  const seed = stage.drawing?.seed ?? null;
  return `${title}${seed === null ? "" : `-seed-${seed}`}${ending}`;
}

function submit() {
  if (generate.disabled) return;
  const options = form.read();
  const keep = keeping.options(options.aspect);
  void interrupt(() => draw({ ...options, ...(keep && { keep }) }, form.images));
}

form.onaspect = (aspect) => {
  stage.expect(aspect);
  keeping.shape(aspect.name);
};
stage.onshow = (k) => {
  const { drawing } = stage;
  showTools();
  if (drawing?.psnr[k - 1] !== undefined) {
    status.textContent = `Scale ${k} of ${drawing.aspect.scales.length}: ${decibels(drawing.psnr[k - 1] ?? 0)}`;
  }
};
keeping.onchange = () => {
  stage.keep(keeping.scales);
  showTools();
};
element("form", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
element("prompt", HTMLTextAreaElement).addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  submit();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !stop.disabled && !document.querySelector("dialog[open]")) halt();
});
stop.addEventListener("click", halt);
retry.addEventListener("click", () => start(choice()));
lock.addEventListener("click", () => {
  const { drawing, shown } = stage;
  if (drawing) keeping.keep(keeping.scales === shown ? 0 : shown);
});
element("reroll", HTMLButtonElement).addEventListener("click", () => {
  const { drawing, shown } = stage;
  if (!drawing?.finished) return;
  form.seed.roll();
  const options = { ...form.read(), aspect: drawing.aspect.name };
  // Without words of its own, the new part follows those of the image.
  if (!options.prompt.trim()) options.prompt = drawing.prompt;
  void interrupt(() => draw({ ...options, keep: { bits: drawing.bits.slice(0, shown - 1), scales: shown - 1 } }, 1));
});
new VisitorImage(
  (file) => void interrupt(() => read(file)),
  (files) => void models.open(files),
  () => form.showError(null, "This is neither an image nor a model; drop a PNG or JPEG, or a model's manifest.json with its shards."),
);
element("share", HTMLButtonElement).addEventListener("click", async () => {
  const { drawing } = stage;
  if (!drawing?.finished || !model) return;
  const { bits, seed, aspect } = drawing;
  const hash = SHARED + encodeShare({ aspect: aspect.name, bits, seed }, model);
  // Whoever opens it has other engines: of this page's parameters only the model belongs to the image.
  const link = new URL(location.pathname, location.href);
  const named = model.codec === lender.codec;
  if (named && lender.address !== null) link.searchParams.set("model", lender.address);
  link.hash = hash;
  const copied = await navigator.clipboard?.writeText(link.href).then(() => true, () => false);
  window.history.replaceState(null, "", copied ? hash : link.href);
  status.textContent = copied
    ? `Link copied; its ${link.href.length} characters hold the whole image.`
    : "The page's address now holds the whole image; copy it from there.";
  note.textContent = named
    ? ""
    : "The model is on your device alone, so the link cannot name it: whoever opens the link has to load the same files under Models.";
});
element("save", HTMLButtonElement).addEventListener("click", async () => {
  const png = await stage.png();
  if (png) save(png, fileName(`-scale-${stage.shown}.png`));
});
const film = element("film", HTMLButtonElement);
const type = movieType();
film.hidden = type === undefined;
film.addEventListener("click", async () => {
  const { drawing } = stage;
  if (!drawing?.finished || !type) return;
  film.disabled = true;
  form.clearErrors();
  const recording = "Recording the film.";
  status.textContent = recording;
  try {
    const movie = await record(drawing, type, (part) => film.style.setProperty("--part", String(part)));
    save(movie, fileName(type.startsWith("video/mp4") ? ".mp4" : ".webm"));
    if (status.textContent === recording) status.textContent = "The film is saved.";
  } catch (error) {
    const reason = sentence(error instanceof Error ? error.message : String(error)).slice(0, -1);
    form.showError(null, `The film could not be recorded (${reason}); try again, or save the scales one by one with PNG.`);
  } finally {
    film.style.removeProperty("--part");
    film.disabled = !stage.drawing?.finished;
  }
});
window.addEventListener("hashchange", () => {
  if (location.hash.startsWith(SHARED)) void interrupt(openLink);
});

const asked = address.get("engine");
for (const input of document.querySelectorAll("input[name=engine]")) {
  if (!(input instanceof HTMLInputElement)) continue;
  input.checked = input.value === (asked === "cpu" || asked === "webgpu" ? asked : "auto");
  input.addEventListener("change", () => {
    remember("engine", input.value === "auto" ? null : input.value);
    void start(choice());
  });
}
parts((part) => {
  lab.show(part === "lab");
  trainer.show(part === "train");
});
images.open().then(() => gallery.show());
void start(choice());
