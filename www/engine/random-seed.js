/** A seed short enough to be read aloud. */
export function randomSeed() {
  return (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) % 1_000_000;
}
