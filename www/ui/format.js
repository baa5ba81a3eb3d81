// Numbers as people read them.

/** @param {number} bytes */
export function megabytes(bytes) {
  return (bytes / 1e6).toFixed(1);
}

/**
 * Milliseconds with two or three significant digits: "86 ms", "1.24 s", "15.3 s".
 * @param {number} ms
 */
export function duration(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}

/**
 * The engine's lower-case sentence as one of the page: "the prompt is empty; .." becomes "The prompt is empty; ..".
 * @param {string} text
 */
export function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

/** @param {number} n */
export function count(n) {
  return n.toLocaleString("en");
}

/** Likeness of two pictures. @param {number} psnr infinite where they are the same */
export function decibels(psnr) {
  return Number.isFinite(psnr) ? `${psnr.toFixed(1)} dB` : "no loss";
}
