// The engine's thread: owns the wasm instance, takes commands, posts events.

import init, { WebEngine, protocol } from "./infinity-web.js";
import { chooseDevice } from "./device.js";
import { PROTOCOL } from "./protocol.js";

/** @typedef {import("./protocol.js").Command} Command */
/** @typedef {import("./protocol.js").EngineEvent} EngineEvent */

/** @type {WebEngine | undefined} */
let engine;

/** @param {EngineEvent} event */
function emit(event) {
  self.postMessage(event, { transfer: event.type === "scale" ? [event.image.rgba.buffer] : [] });
}

/**
 * @param {string} code
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
  switch (command.type) {
    case "load":
      return load(command.manifest, command.engine);
    case "generate":
      if (!engine) return fail("not-loaded", "the model is not loaded yet; wait for it");
      return engine.generate(command.options, host);
    case "cancel":
      return engine?.cancel();
  }
}

/**
 * @param {string} manifest
 * @param {import("./protocol.js").EngineChoice} wanted
 */
async function load(manifest, wanted) {
  let device;
  try {
    device = await chooseDevice(wanted);
  } catch (error) {
    return fail("no-webgpu", error);
  }
  emit({ type: "device", ...device });
  try {
    await init({ module_or_path: download(new URL("./infinity-web_bg.wasm", import.meta.url)) });
  } catch (error) {
    const simd = error instanceof WebAssembly.CompileError;
    return fail(
      "engine-download",
      simd
        ? "this browser cannot run the engine, as it lacks WebAssembly SIMD; update the browser"
        : `the engine could not be downloaded (${error}); check the connection and try again`,
    );
  }
  if (protocol() !== PROTOCOL) {
    return fail("protocol", "page and engine are of different versions; reload the page without its cache");
  }
  engine = await WebEngine.load(manifest, device.engine, host);
}

/**
 * The response of `url`, reporting its progress as it is read.
 * @param {URL} url
 */
async function download(url) {
  const response = await fetch(url);
  if (!response.ok || !response.body) throw new Error(`HTTP ${response.status}`);
  const total = response.headers.has("Content-Encoding") ? 0 : Number(response.headers.get("Content-Length") ?? 0);
  let loaded = 0;
  const counter = new TransformStream({
    /**
     * @param {Uint8Array} chunk
     * @param {TransformStreamDefaultController} controller
     */
    transform(chunk, controller) {
      loaded += chunk.byteLength;
      emit({ type: "progress", phase: "engine", loaded, total });
      controller.enqueue(chunk);
    },
  });
  return new Response(response.body.pipeThrough(counter), { headers: { "Content-Type": "application/wasm" } });
}

// A panic leaves the wasm instance unusable: say so and let the page start another worker.
/** @param {unknown} reason */
const crash = (reason) => emit({ type: "crashed", message: String(reason) });
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
