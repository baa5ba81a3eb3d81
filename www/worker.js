// The engine's thread: owns the wasm instance, takes commands, posts events.

import init, { WebEngine, protocol, tuning } from "./infinity-web.js";
import { chooseDevice } from "./engine/device.js";
import { ENGINE_BYTES } from "./engine-size.js";
import { Meter } from "./engine/worker/progress.js";
import { LocalFiles, RemoteFiles, keepRest } from "./engine/worker/model-files.js";
import { PROTOCOL } from "./engine/protocol.js";
import { Checkpoints } from "./engine/worker/checkpoints.js";
import { Turn } from "./engine/worker/training-lock.js";
import { known, remember } from "./engine/worker/tuning.js";

/** @typedef {import("./engine/protocol.js").Command} Command */
/** @typedef {import("./engine/protocol.js").EngineEvent} EngineEvent */

/** @type {WebEngine | undefined} */
let engine;
/** The same model without self-correction, while somebody compares. @type {WebEngine | undefined} */
let twin;
/** What the twin is at: a stop is answered before its device has come to an end. */
let twinWork = Promise.resolve();
/** How the model was loaded. @type {import("./engine/protocol.js").LoadCommand | undefined} */
let origin;
/** @type {WebAssembly.Memory | undefined} */
let memory;

/**
 * @param {EngineEvent} event
 * @param {number} [device] bytes that the engine holds on a graphics device
 */
function emit(event, device) {
  if (memory) self.postMessage({ type: "memory", bytes: memory.buffer.byteLength, device: device ?? null });
  self.postMessage(event, { transfer: buffers(event) });
}

/** What need not be copied on its way to the page. @param {EngineEvent} event */
function buffers(event) {
  if (event.type === "scale") return [event.image.rgba.buffer, event.residual.levels.buffer];
  if ("image" in event) return [event.image.rgba.buffer];
  return event.type === "packed" ? event.files.map(({ bytes }) => bytes.buffer) : [];
}

/**
 * @param {import("./engine/error.js").ErrorCode} code
 * @param {unknown} cause
 */
function fail(code, cause) {
  emit({ type: "error", code, field: null, message: cause instanceof Error ? cause.message : String(cause) });
}

// A message to ourselves queues behind those the page has sent, unlike a timer it is not throttled.
const { port1, port2 } = new MessageChannel();
/** @type {(() => void)[]} */
const waiting = [];
port1.onmessage = () => waiting.shift()?.();

const checkpoints = new Checkpoints((reason) => {
  emit({ type: "unkept", message: reason instanceof Error ? reason.message : String(reason) });
});

const turn = new Turn();
const TAKEN = "another tab of this browser has a training open; go on there, or close it and try again";

/** @type {import("./infinity-web.js").Host} */
const host = {
  emit,
  breathe: () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      port2.postMessage(0);
    }),
};

/** @param {Command} command */
async function obey(command) {
  if (command.type === "load") return load(command);
  if (command.type === "inspect") return inspect(command.source);
  if (command.type === "keepRest") return keep(command.source);
  if (!engine) return command.type === "cancel" ? undefined : fail("not-loaded", "the model is not loaded yet; wait for it");
  switch (command.type) {
    case "generate":
      if (command.by === "model") return engine.generate(command.options, host);
      if (!twin) return fail("not-loaded", "the twin is not loaded; load it first");
      return (twinWork = twin.generate(command.options, host));
    case "decode":
      return engine.decode({ aspect: command.aspect, bits: command.bits }, host);
    case "encode":
      return engine.encode(command.aspect, command.rgba, host);
    case "flip": {
      const { subject, flips } = command;
      if ("bits" in subject) return engine.flipBits(subject, flips, host);
      return engine.flipPicture(subject.aspect, subject.rgba, flips, host);
    }
    case "loadTwin":
      return loadTwin(engine, command.path);
    case "freeTwin":
      return freeTwin();
    case "begin":
      return begin(engine, command);
    case "train":
      return engine.train(command.pace, checkpoints, host);
    case "pack":
      return engine.pack(command.name, host);
    case "forget":
      if (!(await turn.take())) return fail("busy", TAKEN);
      await checkpoints.clear();
      turn.leave();
      return emit({ type: "forgotten" });
    case "cancel":
      twin?.cancel();
      return engine.cancel();
  }
}

/**
 * @param {WebEngine} engine of the model
 * @param {string} path of the twin's manifest from the model's
 */
async function loadTwin(engine, path) {
  if (!origin || Array.isArray(origin.source)) {
    return fail("download", "the twin of a model from this device is not among the chosen files; load the model from an address");
  }
  await freeTwin();
  const { source, cache } = origin;
  const base = typeof source === "string" ? source : source.manifest;
  const files = new RemoteFiles({ manifest: new URL(path, base).href, files: {} }, new Meter(emit), cache, "twin");
  try {
    await files.begin();
  } catch (error) {
    return fail("download", unreachable(error));
  }
  twin = await engine.loadTwin(files.manifest, files, host);
}

async function freeTwin() {
  const old = twin;
  twin = undefined;
  await twinWork;
  old?.free();
}

/**
 * @param {WebEngine} engine
 * @param {import("./engine/protocol.js").BeginCommand} command
 */
async function begin(engine, { study, material, resume }) {
  if (!(await turn.take())) return fail("busy", TAKEN);
  const checkpoint = resume ? await checkpoints.newest() : undefined;
  if (resume && !checkpoint) return fail("checkpoint", "no training is kept in this browser any more; start a new one");
  if (!("part" in material)) return engine.begin(study, undefined, material.captions, material.rgba, checkpoint, host);
  let drawings;
  try {
    const response = await fetch(material.drawings);
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    drawings = new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    return fail("download", `the drawings could not be downloaded (${error}); check the connection and try again`);
  }
  return engine.begin(study, material.part, [], drawings, checkpoint, host);
}

/** @param {import("./engine/protocol.js").Source} source */
async function inspect(source) {
  const files = filesOf(source, new Meter(() => {}), true);
  try {
    emit({ type: "inspected", ...(await files.inspect()) });
  } catch (error) {
    fail("download", unreachable(error));
  }
}

/** @param {import("./engine/protocol.js").Source} source */
async function keep(source) {
  try {
    if (!Array.isArray(source)) await keepRest(typeof source === "string" ? { manifest: source, files: {} } : source);
    emit({ type: "kept" });
  } catch (error) {
    fail("download", unreachable(error));
  }
}

/**
 * @param {import("./engine/protocol.js").Source} source
 * @param {Meter} meter
 * @param {boolean} cache
 */
function filesOf(source, meter, cache) {
  if (Array.isArray(source)) return new LocalFiles(source, meter);
  const model = typeof source === "string" ? { manifest: source, files: {} } : source;
  return new RemoteFiles(model, meter, cache);
}

/** @param {unknown} error */
function unreachable(error) {
  const reason = error instanceof Error ? error.message : String(error);
  return `the manifest could not be loaded (${reason}); check its address and the connection, and try again`;
}

/** @param {import("./engine/protocol.js").LoadCommand} command */
async function load(command) {
  const { source, engine: wanted, cache } = command;
  let device;
  try {
    device = await chooseDevice(wanted);
  } catch (error) {
    return fail("no-webgpu", error);
  }
  emit({ type: "device", ...device });
  const meter = new Meter(emit);
  meter.need(ENGINE_BYTES);
  const files = filesOf(source, meter, cache);
  try {
    await files.begin();
  } catch (error) {
    return fail("download", unreachable(error));
  }
  try {
    const url = new URL("./infinity-web_bg.wasm", import.meta.url);
    ({ memory } = await init({ module_or_path: streamed(url, meter) }));
  } catch (error) {
    const simd = error instanceof WebAssembly.CompileError;
    return fail(
      simd ? "unsupported" : "engine-download",
      simd
        ? "this browser cannot run the engine, as it lacks WebAssembly SIMD; update the browser"
        : `the engine could not be downloaded (${error}); check the connection and try again`,
    );
  }
  if (protocol() !== PROTOCOL) {
    return fail("protocol", "page and engine are of different versions; reload the page without its cache");
  }
  origin = command;
  const tuned = device.engine === "webgpu" ? await known() : undefined;
  engine = await WebEngine.load(files.manifest, files, device.engine, command.weights, tuned, host);
  if (engine && device.engine === "webgpu" && tuned !== tuning()) await remember(tuning());
}

/**
 * The response of `url`, counted as it is read.
 * @param {URL} url
 * @param {Meter} meter
 */
async function streamed(url, meter) {
  const response = await fetch(url);
  if (!response.ok || !response.body) throw new Error(`HTTP ${response.status}`);
  const counter = new TransformStream({
    /**
     * @param {Uint8Array} chunk
     * @param {TransformStreamDefaultController} controller
     */
    transform(chunk, controller) {
      meter.arrive(chunk.byteLength);
      controller.enqueue(chunk);
    },
  });
  return new Response(response.body.pipeThrough(counter), { headers: { "Content-Type": "application/wasm" } });
}

// A panic leaves the wasm instance unusable, and its text where src/web/memory.rs puts it: say so and let the page start another
// worker.
/** @param {unknown} reason */
const crash = (reason) => emit({ type: "crashed", message: String(Reflect.get(self, "panicked") ?? reason) });
self.addEventListener("error", (event) => {
  event.preventDefault();
  crash(event.message);
});
self.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  crash(event.reason);
});
self.addEventListener("message", (event) => {
  obey(/** @type {Command} */ (event.data)).catch(crash);
});

emit({ type: "ready", protocol: PROTOCOL });
