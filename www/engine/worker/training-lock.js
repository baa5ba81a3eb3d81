// One tab trains at a time: two would write over each other's checkpoints. A worker's thread only.

/** Long enough for a worker that has just been ended to be gone. */
const PATIENCE = 2000;

export class Turn {
  /** Gives the turn to other tabs, if it is this worker's. @type {(() => void) | undefined} */
  #end;

  /** @returns {Promise<boolean>} false while another tab has it; it ends with the worker, too */
  async take() {
    // Pages of plain http have no locks, nor the storage that they would guard.
    if (this.#end || !navigator.locks) return true;
    return new Promise((resolve) => {
      const held = navigator.locks.request("infinity-training", { signal: AbortSignal.timeout(PATIENCE) }, () => {
        resolve(true);
        return new Promise((end) => (this.#end = () => end(undefined)));
      });
      held.catch(() => resolve(false));
    });
  }

  leave() {
    this.#end?.();
    this.#end = undefined;
  }
}
