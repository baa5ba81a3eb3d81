// One tab trains at a time: two would write over each other's checkpoints. A worker's thread only.

/** Long enough for a worker that has just been ended to be gone. */
const PATIENCE = 2000;

export class TrainingLock {
  /** Gives the lock back, if this worker has it. @type {(() => void) | undefined} */
  #release;

  /** @returns {Promise<boolean>} false while another tab has it; it ends with the worker, too */
  async take() {
    // Pages of plain http have no locks, nor the storage that they would guard.
    if (this.#release || !navigator.locks) return true;
    return new Promise((resolve) => {
      const held = navigator.locks.request("infinity-training", { signal: AbortSignal.timeout(PATIENCE) }, () => {
        resolve(true);
        return new Promise((end) => (this.#release = () => end(undefined)));
      });
      held.catch(() => resolve(false));
    });
  }

  release() {
    this.#release?.();
    this.#release = undefined;
  }
}
