// One honest bar: bytes that are here of bytes that are needed, and how fast they come.

/** Speed is measured over this many milliseconds. */
const WINDOW = 3000;
/** The page is told no more often than this. */
const PAUSE = 100;

export class Meter {
  #tell;
  #loaded = 0;
  #total = 0;
  #note = "";
  #warning = "";
  #told = -Infinity;
  /** When bytes came from the network, and how many. @type {[number, number][]} */
  #arrivals = [];

  /** @param {(event: import("../protocol.js").Progress) => void} tell */
  constructor(tell) {
    this.#tell = tell;
  }

  /** @param {number} bytes that are needed besides */
  need(bytes) {
    this.#total += bytes;
  }

  /** @param {number} bytes that came from the network; fewer than 0 were taken back */
  arrive(bytes) {
    this.#loaded += bytes;
    this.#note = "";
    this.#arrivals.push([performance.now(), bytes]);
    this.#say();
  }

  /** @param {number} bytes that the browser had kept */
  recall(bytes) {
    this.#loaded += bytes;
    this.#say();
  }

  /** @param {string} note a sentence for the visitor; the next byte that comes wipes it away */
  remark(note) {
    this.#note = note;
    this.#say(true);
  }

  /** @param {string} warning a sentence that stays */
  warn(warning) {
    this.#warning = warning;
    this.#say(true);
  }

  #say(now = false) {
    const time = performance.now();
    const built = this.#loaded >= this.#total;
    if (!now && !built && time - this.#told < PAUSE) return;
    this.#told = time;
    while (this.#arrivals[0] && this.#arrivals[0][0] < time - WINDOW) this.#arrivals.shift();
    const since = this.#arrivals[0]?.[0] ?? time;
    const bytes = this.#arrivals.reduce((sum, [, bytes]) => sum + bytes, 0);
    this.#tell({
      type: "progress",
      phase: built ? "build" : "download",
      loaded: this.#loaded,
      total: this.#total,
      speed: time - since > PAUSE ? Math.max(0, (1000 * bytes) / (time - since)) : 0,
      note: this.#note || this.#warning,
    });
  }
}
