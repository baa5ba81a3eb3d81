// Loads models in the engine's thread: the one that everything is done with, its baseline beside it, and what a manifest says.

import init, { WebEngine, protocol, tuning } from "../../infinity-web.js";
import { ENGINE_BYTES } from "../../engine-size.js";
import { chooseDevice } from "../device.js";
import { PROTOCOL } from "../protocol.js";
import { emit, fail, host, reasonOf, watchMemory } from "./messages.js";
import { LocalFiles, RemoteFiles, prefetch } from "./model-files.js";
import { LoadProgress } from "./progress.js";
import { keptTuning, keepTuning } from "./tuning.js";

/** @typedef {import("../protocol.js").Source} Source */

/** How the model was loaded. @type {import("../protocol.js").LoadCommand | undefined} */
let origin;

/**
 * @param {import("../protocol.js").LoadCommand} command
 * @param {URL} wasm where the engine is
 * @returns {Promise<WebEngine | undefined>} none when it failed, which was reported
 */
export async function load(command, wasm) {
  const { source, engine: wanted, cache } = command;
  let device;
  try {
    device = await chooseDevice(wanted);
  } catch (error) {
    return fail("no-webgpu", error);
  }
  emit({ type: "device", ...device });
  const progress = new LoadProgress(emit);
  progress.need(ENGINE_BYTES);
  const files = filesOf(source, progress, cache);
  try {
    await files.begin();
  } catch (error) {
    return fail("download", unreachable(error));
  }
  try {
    watchMemory((await init({ module_or_path: counted(wasm, progress) })).memory);
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
  const kept = device.engine === "webgpu" ? await keptTuning() : undefined;
  const engine = await WebEngine.load(files.manifest, files, device.engine, command.weights, kept, host);
  // Not waited for: the page has been told that the model is there.
  if (engine && device.engine === "webgpu" && kept !== tuning()) void keepTuning(tuning());
  return engine;
}

/**
 * The same model without self-correction.
 * @param {WebEngine} engine of the model
 * @param {string} path of the baseline's manifest from the model's
 * @returns {Promise<WebEngine | undefined>} none when it failed, which was reported
 */
export async function loadBaseline(engine, path) {
  if (!origin || Array.isArray(origin.source)) {
    return fail("download", "the baseline of a model from this device is not among the chosen files; load the model from an address");
  }
  const { source, cache } = origin;
  const base = typeof source === "string" ? source : source.manifest;
  const files = new RemoteFiles({ manifest: new URL(path, base).href, files: {} }, new LoadProgress(emit), cache, "baseline");
  try {
    await files.begin();
  } catch (error) {
    return fail("download", unreachable(error));
  }
  return engine.loadTwin(files.manifest, files, host);
}

/** @param {Source} source */
export async function inspect(source) {
  const files = filesOf(source, new LoadProgress(() => {}), true);
  try {
    emit({ type: "inspected", ...(await files.inspect()) });
  } catch (error) {
    fail("download", unreachable(error));
  }
}

/** @param {Source} source */
export async function prefetchRest(source) {
  try {
    if (!Array.isArray(source)) await prefetch(typeof source === "string" ? { manifest: source, files: {} } : source);
    emit({ type: "prefetched" });
  } catch (error) {
    fail("download", unreachable(error));
  }
}

/**
 * @param {Source} source
 * @param {LoadProgress} progress
 * @param {boolean} cache
 */
function filesOf(source, progress, cache) {
  if (Array.isArray(source)) return new LocalFiles(source, progress);
  const model = typeof source === "string" ? { manifest: source, files: {} } : source;
  return new RemoteFiles(model, progress, cache);
}

/** @param {unknown} error */
function unreachable(error) {
  return `the manifest could not be loaded (${reasonOf(error)}); check its address and the connection, and try again`;
}

/**
 * The response of `url`, counted as it is read.
 * @param {URL} url
 * @param {LoadProgress} progress
 */
async function counted(url, progress) {
  const response = await fetch(url);
  if (!response.ok || !response.body) throw new Error(`HTTP ${response.status}`);
  const counter = new TransformStream({
    /**
     * @param {Uint8Array} chunk
     * @param {TransformStreamDefaultController} controller
     */
    transform(chunk, controller) {
      progress.arrive(chunk.byteLength);
      controller.enqueue(chunk);
    },
  });
  return new Response(response.body.pipeThrough(counter), { headers: { "Content-Type": "application/wasm" } });
}
