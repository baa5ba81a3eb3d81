// What a visit without a connection needs besides what drawing needed: fetched once there is nothing else to do.

import { EngineClient } from "./client.js";

/** Beside the page; the service worker keeps it as it passes. */
export const DRAWINGS = new URL("sprites.bin", document.baseURI).href;

/** @type {Set<string>} */
const begun = new Set();

/**
 * Fetches the rest of a model and the drawings to train on, once for each model, unless the visitor saves data.
 * @param {string} source address of the model's manifest
 */
export function prepare(source) {
  if (begun.has(source) || !navigator.onLine || frugal()) return;
  begun.add(source);
  idle(async () => {
    await keepModel(source);
    await keepDrawings();
  });
}

/** Whether the visitor pays for every byte. */
function frugal() {
  const connection = Reflect.get(navigator, "connection");
  return Boolean(connection?.saveData || connection?.type === "cellular");
}

/** @param {() => Promise<void>} act what fails is fetched when it is asked for, and told then */
function idle(act) {
  const begin = () => void act().catch(() => {});
  // Not every browser has it.
  if (typeof requestIdleCallback === "function") requestIdleCallback(begin, { timeout: 10_000 });
  else setTimeout(begin, 3000);
}

/** In a thread of its own, so that the engine is not kept from drawing. @param {string} source */
async function keepModel(source) {
  const client = new EngineClient();
  try {
    await client.keepRest(source);
  } finally {
    client.dispose();
  }
}

async function keepDrawings() {
  const workers = navigator.serviceWorker;
  if (!workers || (await self.caches?.match(DRAWINGS))) return;
  if (!workers.controller) await new Promise((resolve) => workers.addEventListener("controllerchange", resolve, { once: true }));
  await (await fetch(DRAWINGS)).arrayBuffer();
}
