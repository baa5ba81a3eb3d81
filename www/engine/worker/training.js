// Trainings in the engine's thread: one tab has one at a time, and its checkpoints outlive the page.

import { Checkpoints } from "./checkpoints.js";
import { emit, fail, host, reasonOf } from "./messages.js";
import { TrainingLock } from "./training-lock.js";

/** @typedef {import("../../infinity-web.js").WebEngine} WebEngine */

const TAKEN = "another tab of this browser has a training open; go on there, or close it and try again";

const lock = new TrainingLock();
const checkpoints = new Checkpoints((reason) => emit({ type: "unkept", message: reasonOf(reason) }));

/**
 * Sets a training up, or takes the kept one up again.
 * @param {WebEngine} engine
 * @param {import("../protocol.js").BeginCommand} command
 */
export async function begin(engine, { config, data, resume }) {
  if (!(await lock.take())) return fail("busy", TAKEN);
  const checkpoint = resume ? await checkpoints.newest() : undefined;
  if (resume && !checkpoint) return fail("checkpoint", "no training is kept in this browser any more; start a new one");
  if (!("part" in data)) return engine.begin(config, undefined, data.captions, data.rgba, checkpoint, host);
  let sprites;
  try {
    const response = await fetch(data.drawings);
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    sprites = new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    return fail("download", `the drawings could not be downloaded (${error}); check the connection and try again`);
  }
  return engine.begin(config, data.part, [], sprites, checkpoint, host);
}

/**
 * @param {WebEngine} engine
 * @param {import("../protocol.js").TrainSchedule} schedule
 */
export function train(engine, schedule) {
  return engine.train(schedule, checkpoints, host);
}

/** Deletes the kept training. */
export async function forget() {
  if (!(await lock.take())) return fail("busy", TAKEN);
  await checkpoints.clear();
  lock.release();
  emit({ type: "forgotten" });
}
