// A model's manifest: fetched or remembered, and what it lists.

/** A file of the model. @typedef {{ file: string, bytes: number, sha256: string }} Entry */

/** What the manifest may ask for at most, as the engine has it. */
const MAX_BYTES = 2 ** 30;
const MANIFESTS = "manifests";

/**
 * From the network, or the copy of the last visit when there is none.
 * @param {string} address
 * @param {boolean} cache
 */
export async function manifestBytes(address, cache) {
  // Not every browser and window has it.
  const copies = cache ? await self.caches?.open(MANIFESTS).catch(() => undefined) : undefined;
  const response = await fetch(address, { cache: "no-cache" }).catch(() => undefined);
  if (!response) {
    const copy = await copies?.match(address);
    if (copy) return new Uint8Array(await copy.arrayBuffer());
    throw new Error("the connection failed");
  }
  if (!response.ok) throw new Error(`the server answers ${response.status}`);
  const bytes = await response.arrayBuffer().catch(() => {
    throw new Error("the connection broke");
  });
  await copies?.put(address, new Response(bytes)).catch(() => {});
  return new Uint8Array(bytes);
}

/**
 * What the manifest lists; nothing if it is none, which the engine says better. The image encoder comes when asked for, and
 * a baseline generates with its model's tokenizers.
 * @param {Uint8Array} bytes
 * @param {"model" | "baseline"} [part]
 * @returns {{ all: Entry[], needed: Entry[] }}
 */
export function entries(bytes, part = "model") {
  const idle = part === "baseline" ? "vae." : "vae.encoder.";
  /** @param {Entry} entry */
  const sound = ({ file, bytes, sha256 }) =>
    /^\w[\w.-]*$/.test(file) && Number.isInteger(bytes) && bytes >= 0 && bytes <= MAX_BYTES && /^[0-9a-f]{64}$/.test(sha256);
  /** @param {{ tensors?: Record<string, unknown> }} shard */
  const draws = ({ tensors = {} }) => Object.keys(tensors).some((name) => !name.startsWith(idle));
  try {
    const { tokenizer, shards = [] } = JSON.parse(new TextDecoder().decode(bytes));
    const all = [...(tokenizer ? [tokenizer] : []), ...shards].filter(sound);
    return { all, needed: all.filter((entry) => (entry === tokenizer ? part === "model" : draws(entry))) };
  } catch {
    return { all: [], needed: [] };
  }
}

/**
 * @param {Uint8Array} bytes
 * @throws {Error} if they are no manifest
 */
export function describe(bytes) {
  try {
    const { name, licence, tokenizer, shards } = JSON.parse(new TextDecoder().decode(bytes));
    let [size, parameters] = [Number(tokenizer?.bytes ?? 0), 0];
    for (const shard of shards) {
      size += shard.bytes;
      for (const { shape } of Object.values(shard.tensors)) parameters += shape.reduce((/** @type {number} */ a, /** @type {number} */ b) => a * b, 1);
    }
    return { name: String(name), licence: String(licence), bytes: size, parameters };
  } catch {
    throw new Error("it is not a model's manifest");
  }
}
