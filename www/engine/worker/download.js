// One file from the network, whole or not at all: a broken connection is taken up where it broke.

const ATTEMPTS = 5;
const PAUSE = 500;
/** Answers that another try may change. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);

/** An answer of the server that no further try will change. */
class Refusal extends Error {}

/**
 * Fills `buffer`, whose first `start` bytes are there already.
 * @param {string} url
 * @param {Uint8Array<ArrayBuffer>} buffer as long as the file
 * @param {number} start
 * @param {object} on
 * @param {(chunk: Uint8Array, at: number) => void} on.bytes called with every part that came
 * @param {() => void} on.restart the server sends the file from its beginning: what came before does not count
 * @param {(reason: string) => void} on.broken the connection broke and is tried again
 * @throws {Error} in a few words, for a sentence such as "x could not be loaded (..)"
 */
export async function download(url, buffer, start, on) {
  let at = start;
  for (let failures = 0; at < buffer.byteLength; ) {
    const before = at;
    try {
      const response = await request(url, at);
      if (at > 0 && response.status !== 206) {
        at = 0;
        on.restart();
      }
      for await (const chunk of parts(response)) {
        if (at + chunk.byteLength > buffer.byteLength) throw new Refusal("it is longer than its manifest says");
        buffer.set(chunk, at);
        on.bytes(chunk, at);
        at += chunk.byteLength;
      }
      if (at < buffer.byteLength) throw new Error("the connection broke");
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      failures = at > before ? 1 : failures + 1;
      if (error instanceof Refusal || failures >= ATTEMPTS) throw new Error(reason);
      on.broken(reason);
      await new Promise((resolve) => setTimeout(resolve, PAUSE * 2 ** (failures - 1)));
    }
  }
}

/**
 * @param {string} url
 * @param {number} at
 */
async function request(url, at) {
  /** @type {RequestInit} */
  const init = at > 0 ? { headers: { Range: `bytes=${at}-` } } : {};
  const response = await fetch(url, init).catch(() => {
    throw new Error("the connection failed");
  });
  if (response.ok) return response;
  const answer = `the server answers ${response.status}`;
  throw PASSING.has(response.status) ? new Error(answer) : new Refusal(answer);
}

/** @param {Response} response */
async function* parts(response) {
  const reader = response.body?.getReader();
  if (!reader) return;
  for (;;) {
    const { done, value } = await reader.read().catch(() => {
      throw new Error("the connection broke");
    });
    if (done) return;
    yield value;
  }
}
