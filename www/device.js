// Chooses the engine: WebGPU where there is a graphics card behind it, the CPU otherwise, and says why.

/** @typedef {{ engine: "webgpu" | "cpu", reason: string }} Choice */

// Adapters that compute on the CPU after all, and slower than the CPU engine does.
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|basic render/i;

/**
 * @param {import("./protocol.js").EngineChoice} wanted
 * @returns {Promise<Choice>}
 * @throws {Error} when WebGPU is asked for by name and cannot run; the message is a sentence as the engine writes them
 */
export async function chooseDevice(wanted) {
  if (wanted === "cpu") return { engine: "cpu", reason: "as chosen" };
  const { usable, software, reason } = await inspect();
  if (wanted === "webgpu") {
    if (!usable) throw new Error(`WebGPU cannot run here (${reason}); choose the CPU engine`);
    return { engine: "webgpu", reason: software ? `as chosen, on a software adapter` : "as chosen" };
  }
  return usable && !software ? { engine: "webgpu", reason } : { engine: "cpu", reason };
}

/** @returns {Promise<{ usable: boolean, software: boolean, reason: string }>} */
async function inspect() {
  /** @param {string} reason */
  const no = (reason) => ({ usable: false, software: false, reason });
  if (!navigator.gpu) return no("this browser has no WebGPU");
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) return no("WebGPU found no graphics card");
  // The GPU runtime asks for timers when it starts and stops the thread if they are missing.
  if (!adapter.features.has("timestamp-query")) return no("its WebGPU lacks timestamp queries");
  const info = adapter.info;
  const name = [info.vendor, info.architecture, info.device, info.description].filter(Boolean).join(" ");
  const software = info.isFallbackAdapter || SOFTWARE.test(name);
  if (software) return { usable: true, software, reason: "WebGPU has only a software adapter here" };
  return { usable: true, software, reason: info.description || info.architecture || "graphics card" };
}
