// The engine's thread: takes commands of the page, has them done, posts events. It lies beside the wasm, where `base-url` says.

import { emit, fail, host } from "./engine/worker/messages.js";
import { inspect, load, loadBaseline, prefetchRest } from "./engine/worker/models.js";
import { begin, forget, train } from "./engine/worker/training.js";
import { PROTOCOL } from "./engine/protocol.js";

/** @typedef {import("./engine/protocol.js").Command} Command */

/** @type {import("./infinity-web.js").WebEngine | undefined} */
let engine;
/** The same model without self-correction, while somebody compares. @type {import("./infinity-web.js").WebEngine | undefined} */
let baseline;
/** What the baseline is at: a cancel is answered before its device has come to an end. */
let baselineWork = Promise.resolve();

/** @param {Command} command */
async function run(command) {
  if (command.type === "load") return void (engine = await load(command, new URL("./infinity-web_bg.wasm", import.meta.url)));
  if (command.type === "inspect") return inspect(command.source);
  if (command.type === "prefetch") return prefetchRest(command.source);
  if (!engine) return command.type === "cancel" ? undefined : fail("not-loaded", "the model is not loaded yet; wait for it");
  switch (command.type) {
    case "generate":
      if (command.by === "model") return engine.generate(command.options, host);
      if (!baseline) return fail("not-loaded", "the baseline is not loaded; load it first");
      return (baselineWork = baseline.generate(command.options, host));
    case "decode":
      return engine.decode({ aspect: command.aspect, bits: command.bits }, host);
    case "encode":
      return engine.encode(command.aspect, command.rgba, host);
    case "flip": {
      const { subject, flips } = command;
      if ("bits" in subject) return engine.flipBits(subject, flips, host);
      return engine.flipPicture(subject.aspect, subject.rgba, flips, host);
    }
    case "loadBaseline":
      await freeBaseline();
      return void (baseline = await loadBaseline(engine, command.path));
    case "freeBaseline":
      return freeBaseline();
    case "begin":
      return begin(engine, command);
    case "train":
      return train(engine, command.schedule);
    case "pack":
      return engine.pack(command.name, host);
    case "forget":
      return forget();
    case "cancel":
      baseline?.cancel();
      return engine.cancel();
  }
}

async function freeBaseline() {
  const old = baseline;
  baseline = undefined;
  await baselineWork;
  old?.free();
}

// A panic leaves the wasm instance unusable, and its text where src/web/memory.rs puts it: say so and let the page start another
// worker.
/** @param {unknown} reason */
const crash = (reason) => emit({ type: "crashed", message: String(Reflect.get(self, "panicked") ?? reason) });
self.addEventListener("error", (event) => {
  event.preventDefault();
  crash(event.message);
});
self.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  crash(event.reason);
});
self.addEventListener("message", (event) => {
  run(/** @type {Command} */ (event.data)).catch(crash);
});

emit({ type: "ready", protocol: PROTOCOL });
