// How products are computed on the visitor's graphics card: the engine measures it once, and it is kept under the card's name in
// the browser's private storage (OPFS). A worker's thread only.

import { named } from "../device.js";
import { TUNING, folder } from "../storage.js";

/** What is known of the card: the engine's own words, or that it is none. @returns {Promise<string | undefined>} */
export async function known() {
  const { name, software } = await card();
  if (software) return "software";
  try {
    const file = await (await folder(TUNING)).getFileHandle(encodeURIComponent(name));
    return await (await file.getFile()).text();
  } catch {
    return undefined;
  }
}

/** @param {string} words of the engine */
export async function remember(words) {
  const { name, software } = await card();
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
async function card() {
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
  return adapter ? named(adapter.info) : { name: "", software: false };
}
