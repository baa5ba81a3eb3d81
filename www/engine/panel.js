// What a panel of the page is. There are three, Draw, Self-correction and Train, each in a folder of its own (generate/, lab/, train/).
//
// To add one:
// - a folder with panel.html (its section, with an id), panel.js (a class that implements `Panel`) and style.css;
// - in index.html a button with `data-panel="ID"`, and the lines of that folder: stylesheet, `copy-dir`, `inline`;
// - in page.js a line of `panels`; in tests/folders.test.js what the folder may import.
// No other list names files: scripts/finish-page.sh writes that of the service worker.

/**
 * What the engine is doing. "drawing" is any work, a training included. The page writes it into the body's `data-state`.
 * @typedef {"loading" | "idle" | "drawing" | "failed"} State
 */

/**
 * @typedef {object} Panel
 * @property {(model: import("./protocol.js").ModelInfo, source: import("./protocol.js").Source) => void} fill a model was loaded from `source`
 * @property {(state: State) => void} state the engine's state has changed
 * @property {(visible: boolean) => void} show the panel comes into sight, or goes
 * @property {() => void} stop Stop was pressed: the panel gives the engine nothing more to do; the session cancels what it is doing
 * @property {(message: string, field: string | null) => void} [fail] loading, or other work, failed: where the panel shows that
 */

export {};
