// The page without a connection: keeps the page's own files, whole or not at all. Models are kept by storage.js.

const CACHE = "page";
const FILES = [
  "./", "style.css", "favicon.svg", "infinity-web.js", "infinity-web_bg.wasm", "engine-size.js",
  "sample.png", "self-correction.json",
  "address.js", "bits.js", "checkpoints.js", "chips.js", "device.js", "dom.js", "download.js", "drawing.js", "dropped.js",
  "engine-client.js", "engine-error.js", "filmstrip.js", "fitted.js", "form.js", "format.js", "gallery.js",
  "history.js", "keeping.js", "lab-bits.js", "lab-curves.js", "lab-experiment.js", "lab-paths.js", "lab.js", "later.js", "mask.js", "meter.js",
  "model-files.js", "models.js", "movie.js", "page.js", "parts.js", "performance.js", "protocol.js", "random-seed.js",
  "scale-field.js", "seed.js", "share.js", "sheet.js", "stage.js", "storage.js", "thread.js", "train-curves.js",
  "train-draft.js", "train-form.js", "train-pictures.js", "train.js", "tuning.js", "turn.js", "visitor-image.js", "words.js", "worker.js",
  "zip.js",
];
/** Large, and not needed to draw: kept once it was asked for, by later.js or by a training. */
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
