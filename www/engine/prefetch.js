// Fetches what a visit without a connection needs and this one did not, once there is nothing else to do.

import { EngineClient } from "./client.js";

/** Beside the page; the service worker keeps it as it passes. */
export const SPRITES = new URL("sprites.bin", document.baseURI).href;

/** @type {Set<string>} */
const begun = new Set();

/**
 * Fetches the rest of a model and the sprites to train on, once for each model, unless the visitor saves data.
 * @param {string} source address of the model's manifest
 */
export function prefetch(source) {
  if (begun.has(source) || !navigator.onLine || frugal()) return;
  begun.add(source);
  idle(async () => {
    await prefetchModel(source);
    await prefetchSprites();
  });
}

/** Whether the visitor pays for every byte. */
function frugal() {
  const connection = Reflect.get(navigator, "connection");
  return Boolean(connection?.saveData || connection?.type === "cellular");
}

/** @param {() => Promise<void>} act what fails now is fetched when it is asked for, and reported then */
function idle(act) {
  const begin = () => void act().catch(() => {});
  // Not every browser has it.
  if (typeof requestIdleCallback === "function") requestIdleCallback(begin, { timeout: 10_000 });
  else setTimeout(begin, 3000);
}

/** In a thread of its own, so that the engine can go on generating. @param {string} source */
async function prefetchModel(source) {
  const client = new EngineClient();
  try {
    await client.prefetch(source);
  } finally {
    client.dispose();
  }
}

async function prefetchSprites() {
  const workers = navigator.serviceWorker;
  if (!workers || (await self.caches?.match(SPRITES))) return;
  if (!workers.controller) await new Promise((resolve) => workers.addEventListener("controllerchange", resolve, { once: true }));
  await (await fetch(SPRITES)).arrayBuffer();
}
