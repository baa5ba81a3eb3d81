// The page: one session with the engine, three panels that use it, two dialogs. Wires them together; what each does is in its folder.

import { ModelsDialog, facts } from "./dialogs/models.js";
import { PerformanceDialog } from "./dialogs/performance.js";
import { EngineError } from "./engine/error.js";
import { Session } from "./engine/session.js";
import { GeneratePanel } from "./generate/panel.js";
import { LabPanel } from "./lab/panel.js";
import { TrainPanel } from "./train/panel.js";
import { element } from "./ui/dom.js";
import "./ui/fields.js";
import { parameter, setParameter } from "./ui/query.js";
import { tabs } from "./ui/tabs.js";

/** @typedef {import("./engine/protocol.js").Source} Source */

const BUILT_IN = "models/default/manifest.json";

const session = new Session(parameter("model") ?? BUILT_IN, {
  state(state) {
    document.body.dataset.state = state;
    for (const panel of all) panel.state(state);
  },
  starting() {
    generate.clearMessages();
    generate.loading.starting();
  },
  loading(event) {
    generate.loading.progress(event);
    performanceDialog.loading(event);
  },
  loaded(model, ms, message) {
    element("model", HTMLElement).textContent = `${model.name}: ${facts(model)}`;
    models.fill(model);
    for (const panel of all) panel.fill(model, session.source);
    generate.viewer.lines.status = message;
    if (session.client) performanceDialog.loaded(model, session.client, session.engine, ms);
  },
  unloaded(_, message, stopped) {
    generate.loading.failed(stopped ? message : "");
    if (stopped) lab.fail(message);
    else for (const panel of all) panel.fail?.(message, null);
  },
  ready() {
    navigator.serviceWorker?.register("sw.js").catch(() => {}); // not in every window; the page works without
    if (!generate.viewer.frame.result) void generate.openLink();
  },
  begin: () => generate.clearMessages(),
  end() {
    if (session.client) performanceDialog.measure(session.client);
  },
  failed(error, message) {
    for (const panel of all) panel.fail?.(message, error instanceof EngineError ? error.field : null);
  },
  stop() {
    for (const panel of all) panel.stop();
  },
});

const performanceDialog = new PerformanceDialog();
const models = new ModelsDialog({
  builtIn: BUILT_IN,
  load: (source) => use(source, typeof source === "string" && source !== BUILT_IN ? source : null),
  choose(choice) {
    session.choice = choice;
    void session.load();
  },
  works: {
    count: () => ({ pictures: train.kept, images: generate.viewer.images.kept }),
    async forget() {
      await Promise.all([train.forget(), generate.viewer.images.clear()]);
      generate.viewer.gallery.show();
    },
  },
});
session.choice = models.choice;

const generate = new GeneratePanel(session, {
  result: (result) => lab.offer(result),
  generated: (result, ms) => performanceDialog.ran(result, ms),
  model: (files) => void models.open(files),
});
const lab = new LabPanel(session, {
  open: (file) => generate.read(file),
  generate: (prompt) => generate.generate(prompt),
});
const train = new TrainPanel(session, {
  say: (status) => (generate.viewer.lines.status = status),
  use(files) {
    element("draw-open", HTMLButtonElement).click();
    use(files, null);
  },
});

/** By the ids of their sections. @type {Record<string, import("./engine/panel.js").Panel>} */
const panels = { draw: generate, lab, train };
const all = Object.values(panels);

tabs((shown) => {
  for (const [id, panel] of Object.entries(panels)) panel.show(id === shown);
});
void session.load();

/**
 * Loads another model.
 * @param {Source} source
 * @param {string | null} address to keep in that of the page
 */
function use(source, address) {
  session.source = source;
  setParameter("model", address);
  void session.load();
}
