// The page without a connection: keeps the page's own files, whole or not at all. Models are kept by engine/storage.js.

const CACHE = "page";
/** Every file of the page. The list is written by the build (scripts/finish-page.sh). @type {string[]} */
const FILES = [];
/** Large, and not needed to draw: kept once it was asked for, by engine/prefetch.js or by a training. */
const LATER = ["sprites.bin"];

const worker = /** @type {any} */ (self);

worker.addEventListener("install", (/** @type {any} */ event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES)).then(() => worker.skipWaiting()));
});

worker.addEventListener("activate", (/** @type {any} */ event) => event.waitUntil(worker.clients.claim()));

worker.addEventListener("fetch", (/** @type {any} */ event) => {
  const { request } = event;
  const url = new URL(request.url);
  url.search = "";
  const ours = new Set([...FILES, ...LATER].map((file) => new URL(file, worker.registration.scope).href));
  if (request.method === "GET" && ours.has(url.href)) event.respondWith(fresh(request, url.href));
});

/**
 * The newest there is: from the network, or what was kept of the last visit.
 * @param {Request} request
 * @param {string} name to keep it under
 */
async function fresh(request, name) {
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(request);
    // A body that breaks off makes this fail and leaves what was kept before.
    if (response.status === 200) cache.put(name, response.clone()).catch(() => {});
    return response;
  } catch (error) {
    const kept = await cache.match(name);
    if (kept) return kept;
    throw error;
  }
}
