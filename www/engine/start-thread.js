// Starts the engine's thread: from the folder above, from another one, or from another origin.

import { fileAddress } from "./address.js";
import { EngineError } from "./error.js";

/**
 * @param {string | URL} [base] the folder of worker.js and the wasm, if not the one above
 * @returns {Worker}
 * @throws {EngineError}
 */
export function startThread(base) {
  if (typeof Worker === "undefined") {
    throw new EngineError("unsupported", "there are no workers here, in which the engine runs; load it in a browser's page");
  }
  const address = fileAddress("worker.js", base);
  if (base !== undefined) return at(address);
  try {
    // Bundlers recognise exactly this form, and put a worker of their own making in its place.
    return new Worker(new URL("../worker.js", import.meta.url), { type: "module" });
  } catch {
    return at(address);
  }
}

/**
 * A worker may not come from another origin, but may import from there.
 * @param {URL} address
 */
function at(address) {
  if (!/^https?:$/.test(address.protocol)) {
    throw new EngineError("crashed", "the engine's thread could not start; say with base-url where worker.js is");
  }
  if (address.origin === location.origin) return new Worker(address, { type: "module" });
  const shim = new Blob([`import ${JSON.stringify(address.href)};`], { type: "text/javascript" });
  const url = URL.createObjectURL(shim);
  const worker = new Worker(url, { type: "module" });
  worker.addEventListener("message", () => URL.revokeObjectURL(url), { once: true });
  return worker;
}
