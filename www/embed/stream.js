// A client of the engine for one request: its events as an async iterator, and as the package's own types.

import { EngineClient } from "../engine/client.js";

/** @typedef {import("../engine/protocol.js").EngineEvent} EngineEvent */
/** @typedef {import("./types.js").Scale} Scale */

/**
 * Lets a new client do its first task; it ends with a signal, or if the task fails.
 * @template T
 * @param {string | URL | undefined} baseUrl
 * @param {AbortSignal | undefined} signal
 * @param {(client: EngineClient) => Promise<T>} task
 * @returns {Promise<T>}
 */
export async function withClient(baseUrl, signal, task) {
  signal?.throwIfAborted();
  const client = new EngineClient(baseUrl);
  const stop = () => client.dispose();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    return await task(client);
  } catch (error) {
    client.dispose();
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

/**
 * What one request answers with, as it comes.
 * @template T
 * @param {EngineClient} client
 * @param {(listen: (event: EngineEvent) => void) => Promise<{ type: string }>} request
 * @param {(event: EngineEvent) => T | undefined} take what an event gives, if anything
 * @param {AbortSignal} [signal]
 * @returns {AsyncGenerator<T, void, undefined>}
 */
export async function* stream(client, request, take, signal) {
  signal?.throwIfAborted();
  /** @type {T[]} */
  const waiting = [];
  let [ended, wake] = [false, () => {}];
  const end = request((event) => {
    const taken = take(event);
    if (taken !== undefined) waiting.push(taken);
    wake();
  }).finally(() => {
    ended = true;
    wake();
  });
  end.catch(() => {}); // thrown below, unless the loop is left before
  const cancel = () => {
    client.cancel();
    wake();
  };
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    while (!signal?.aborted) {
      const next = waiting.shift();
      if (next !== undefined) yield next;
      else if (ended) break;
      else await new Promise((resolve) => (wake = () => resolve(undefined)));
    }
    const { type } = await end.catch((error) => {
      throw signal?.aborted ? signal.reason : error;
    });
    signal?.throwIfAborted();
    if (type === "cancelled") throw new DOMException("The drawing was ended.", "AbortError");
  } finally {
    signal?.removeEventListener("abort", cancel);
    if (!ended) {
      client.cancel();
      await end.catch(() => {});
    }
  }
}

/**
 * @param {EngineEvent} event
 * @returns {Scale | undefined} none of other events
 */
export function scaleOf(event) {
  if (event.type !== "scale") return undefined;
  const { k, of, height, width, ms, bits, image, deviation } = event;
  return { k, of, height, width, ms, bits, image: pixels(image), final: k === of, ...(deviation && { deviation }) };
}

/** @param {import("../engine/protocol.js").Pixels} image */
export function pixels({ rgba, width, height }) {
  return new ImageData(new Uint8ClampedArray(rgba.buffer), width, height);
}
