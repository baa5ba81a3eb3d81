// Chooses the engine: WebGPU where there is a GPU behind it, the CPU otherwise, and says why.

/** @typedef {{ engine: "webgpu" | "cpu", reason: string }} Choice */

/**
 * @typedef {object} Survey
 * @property {boolean} usable whether WebGPU can run at all
 * @property {boolean} software whether it would compute on the CPU after all
 * @property {string} reason in a few words
 * @property {string[]} shortfalls one sentence each
 */

// Adapters that compute on the CPU after all, and slower than the CPU engine does.
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|basic render/i;
/** What every model of this page fits in; a large one may need more. */
const SMALL_BINDING = 128 << 20;

/**
 * @param {import("./protocol.js").EngineChoice} wanted
 * @returns {Promise<Choice>}
 * @throws {Error} when WebGPU is asked for by name and cannot run; the message is a sentence as the engine writes them
 */
export async function chooseDevice(wanted) {
  if (wanted === "cpu") return { engine: "cpu", reason: "as chosen" };
  const { usable, software, reason } = await survey();
  if (wanted === "webgpu") {
    if (!usable) throw new Error(`WebGPU cannot run here (${reason}); choose the CPU engine`);
    return { engine: "webgpu", reason: software ? `as chosen, on a software adapter` : "as chosen" };
  }
  return usable && !software ? { engine: "webgpu", reason } : { engine: "cpu", reason };
}

/** Looks at the GPU before anything is downloaded. @returns {Promise<Survey>} */
export async function survey() {
  /**
   * @param {string} reason
   * @param {string} shortfall
   */
  const no = (reason, shortfall) => ({ usable: false, software: false, reason, shortfalls: [shortfall] });
  if (!navigator.gpu) {
    return no(
      "this browser has no WebGPU",
      self.isSecureContext
        ? "This browser has no WebGPU; a current Chrome, Edge, Safari or Firefox has it."
        : "Browsers offer WebGPU only to pages of https.",
    );
  }
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" }).catch(() => null);
  if (!adapter) {
    return no("WebGPU found no GPU", "WebGPU finds no GPU; its driver may be blocked or turned off.");
  }
  // The GPU runtime asks for timers when it starts and stops the thread if they are missing.
  if (!adapter.features.has("timestamp-query")) {
    return no(
      "its WebGPU lacks timestamp queries",
      "This browser's WebGPU has no timestamp queries, without which the engine cannot start; settings against tracking turn them off.",
    );
  }
  const { info } = adapter;
  const { software } = named(info);
  const shortfalls = [];
  if (software) shortfalls.push("WebGPU has only a software adapter here, which is slower than the CPU engine.");
  if (adapter.limits.maxStorageBufferBindingSize <= SMALL_BINDING) {
    shortfalls.push("This GPU binds at most 128 MB at a time; models of hundreds of megabytes may not fit.");
  }
  const reason = software ? "WebGPU has only a software adapter here" : info.description || info.architecture || "GPU";
  return { usable: true, software, reason, shortfalls };
}

/** What an adapter calls itself, and whether it computes on the CPU after all. @param {GPUAdapterInfo} info */
export function named(info) {
  const name = [info.vendor, info.architecture, info.device, info.description].filter(Boolean).join(" ");
  return { name, software: info.isFallbackAdapter || SOFTWARE.test(name) };
}
