// The engine's thread as the engine and the page see it: events and errors out, with how much memory there is, and messages in.

/** @typedef {import("../protocol.js").EngineEvent} EngineEvent */

/** @type {WebAssembly.Memory | undefined} */
let memory;

/** From now on every event comes with the size of the wasm heap. @param {WebAssembly.Memory} heap */
export function watchMemory(heap) {
  memory = heap;
}

/**
 * @param {EngineEvent} event
 * @param {number} [device] bytes that the engine holds on the GPU
 */
export function emit(event, device) {
  if (memory) self.postMessage({ type: "memory", bytes: memory.buffer.byteLength, device: device ?? null });
  self.postMessage(event, { transfer: buffers(event) });
}

/**
 * @param {import("../error.js").ErrorCode} code
 * @param {unknown} cause
 * @returns {undefined}
 */
export function fail(code, cause) {
  emit({ type: "error", code, field: null, message: reasonOf(cause) });
}

/** @param {unknown} cause */
export const reasonOf = (cause) => (cause instanceof Error ? cause.message : String(cause));

/** What need not be copied on its way to the page. @param {EngineEvent} event */
function buffers(event) {
  if (event.type === "scale") return [event.image.rgba.buffer, event.residual.levels.buffer];
  if ("image" in event) return [event.image.rgba.buffer];
  return event.type === "packed" ? event.files.map(({ bytes }) => bytes.buffer) : [];
}

// A message to ourselves queues behind those that the page has sent; unlike a timer it is not throttled.
const { port1, port2 } = new MessageChannel();
/** @type {(() => void)[]} */
const waiting = [];
port1.onmessage = () => waiting.shift()?.();

/** @type {import("../../infinity-web.js").Host} */
export const host = {
  emit,
  breathe: () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      port2.postMessage(0);
    }),
};
