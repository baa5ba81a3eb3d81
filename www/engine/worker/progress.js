// One honest bar: bytes that are here of bytes that are needed, and how fast they come.

/** Speed is measured over this many milliseconds. */
const WINDOW = 3000;
/** LoadProgress is reported no more often than this. */
const PAUSE = 100;

export class LoadProgress {
  #report;
  #loaded = 0;
  #total = 0;
  #note = "";
  #warning = "";
  #reported = -Infinity;
  /** When bytes came from the network, and how many. @type {[number, number][]} */
  #arrivals = [];

  /** @param {(event: import("../protocol.js").Progress) => void} report */
  constructor(report) {
    this.#report = report;
  }

  /** @param {number} bytes that are needed, too */
  need(bytes) {
    this.#total += bytes;
  }

  /** @param {number} bytes that came from the network; fewer than 0 were taken back */
  arrive(bytes) {
    this.#loaded += bytes;
    this.#note = "";
    this.#arrivals.push([performance.now(), bytes]);
    this.#update();
  }

  /** @param {number} bytes that the browser had kept */
  recall(bytes) {
    this.#loaded += bytes;
    this.#update();
  }

  /** @param {string} note a sentence for the visitor; the next byte that comes wipes it away */
  remark(note) {
    this.#note = note;
    this.#update(true);
  }

  /** @param {string} warning a sentence that stays */
  warn(warning) {
    this.#warning = warning;
    this.#update(true);
  }

  #update(now = false) {
    const time = performance.now();
    const built = this.#loaded >= this.#total;
    if (!now && !built && time - this.#reported < PAUSE) return;
    this.#reported = time;
    while (this.#arrivals[0] && this.#arrivals[0][0] < time - WINDOW) this.#arrivals.shift();
    const since = this.#arrivals[0]?.[0] ?? time;
    const bytes = this.#arrivals.reduce((sum, [, bytes]) => sum + bytes, 0);
    this.#report({
      type: "progress",
      phase: built ? "build" : "download",
      loaded: this.#loaded,
      total: this.#total,
      speed: time - since > PAUSE ? Math.max(0, (1000 * bytes) / (time - since)) : 0,
      note: this.#note || this.#warning,
    });
  }
}
