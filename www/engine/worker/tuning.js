// The autotuning results of the visitor's GPU: the engine measures its kernel variants once, and what it chose is kept under the
// GPU's name in the browser's private storage (OPFS). A worker's thread only.

import { named } from "../device.js";
import { TUNING, folder } from "../storage.js";

/** What the engine wrote when it measured this GPU, or that there is none. @returns {Promise<string | undefined>} */
export async function keptTuning() {
  const { name, software } = await gpu();
  if (software) return "software";
  try {
    const file = await (await folder(TUNING)).getFileHandle(encodeURIComponent(name));
    return await (await file.getFile()).text();
  } catch {
    return undefined;
  }
}

/** @param {string} words of the engine */
export async function keepTuning(words) {
  const { name, software } = await gpu();
  if (software) return;
  try {
    const file = await (await folder(TUNING)).getFileHandle(encodeURIComponent(name), { create: true });
    const access = await file.createSyncAccessHandle();
    access.truncate(0);
    access.write(new TextEncoder().encode(words));
    access.close();
  } catch {} // nothing is kept where nothing can be
}

/** The adapter that the engine opens too; no name where there is none. */
async function gpu() {
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
  return adapter ? named(adapter.info) : { name: "", software: false };
}
