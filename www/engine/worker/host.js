// What the engine needs of its thread: a way out for its events, and a way in for messages while it works.

import { emit } from "./messages.js";

// A message to ourselves queues behind those that the page has sent; unlike a timer it is not throttled.
const { port1, port2 } = new MessageChannel();
/** @type {(() => void)[]} */
const waiting = [];
port1.onmessage = () => waiting.shift()?.();

/** @type {import("../../infinity-web.js").Host} */
export const host = {
  emit,
  breathe: () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      port2.postMessage(0);
    }),
};
