// How the element looks. Its parts and these custom properties are its interface to a page's own style.

export const style = /* css */ `
:host {
  --accent: var(--infinity-accent, light-dark(#3d4fd6, #96a4ff));
  --on-accent: var(--infinity-on-accent, light-dark(#ffffff, #14172b));
  --ground: var(--infinity-background, light-dark(#f1f1f5, #1b1c22));
  --ink: var(--infinity-color, light-dark(#1d1e26, #ececf2));
  --muted: color-mix(in oklab, var(--ink) 62%, var(--ground));
  --line: var(--infinity-border, color-mix(in oklab, var(--ink) 14%, var(--ground)));
  --radius: var(--infinity-radius, 12px);
  display: inline-block;
  inline-size: var(--infinity-size, 256px);
  max-inline-size: 100%;
  color: var(--ink);
  font: var(--infinity-font, 14px/1.4 system-ui, sans-serif);
  vertical-align: top;
}
:host([hidden]) { display: none; }
[hidden] { display: none !important; }
* { box-sizing: border-box; }

.frame {
  position: relative;
  display: grid;
  aspect-ratio: var(--shape, 1);
  overflow: hidden;
  border-radius: var(--radius);
  background: var(--ground);
  box-shadow: inset 0 0 0 1px var(--line);
}
.frame > * { grid-area: 1 / 1; min-inline-size: 0; min-block-size: 0; }
canvas, .poster { inline-size: 100%; block-size: 100%; object-fit: cover; display: block; }
.before { display: grid; place-items: center; overflow: hidden; text-align: center; }
.before.fallback { place-items: start center; }
::slotted(*) { max-inline-size: 100%; max-block-size: 100%; }
::slotted(img), ::slotted(picture) { inline-size: 100%; block-size: 100%; object-fit: cover; }
.mark { inline-size: 34%; max-inline-size: 72px; fill: none; stroke: var(--muted); stroke-width: 1.6; opacity: 0.55; }

.veil {
  z-index: 1;
  align-self: end;
  display: grid;
  gap: 6px;
  padding: 26px 12px 12px;
  color: #fff;
  font-size: 12.5px;
  font-variant-numeric: tabular-nums;
  text-shadow: 0 1px 2px #0009;
  background: linear-gradient(transparent, #0a0b14d0 45%);
}
progress { appearance: none; inline-size: 100%; block-size: 4px; border: 0; border-radius: 4px; overflow: hidden; background: #ffffff40; }
progress::-webkit-progress-bar { background: none; }
progress::-webkit-progress-value { background: #fff; border-radius: 4px; transition: inline-size 0.2s; }
progress::-moz-progress-bar { background: #fff; border-radius: 4px; }
progress:indeterminate { background: linear-gradient(90deg, #ffffff30 30%, #fff 50%, #ffffff30 70%) 0 / 250% 100%; animation: wait 1.4s linear infinite; }
progress:indeterminate::-moz-progress-bar { background: none; }
@keyframes wait { from { background-position: 130% 0; } to { background-position: -120% 0; } }

.steps {
  z-index: 1;
  place-self: end stretch;
  display: flex;
  gap: 3px;
  margin: 0;
  padding: 20px 10px 10px;
  list-style: none;
  background: linear-gradient(transparent, #0a0b1470);
  transition: opacity 0.5s 0.4s;
}
.steps li { flex: 1; block-size: 3px; border-radius: 3px; background: #ffffff59; transition: background 0.25s; }
.steps li.there { background: #fff; }
.steps li.next { background: linear-gradient(90deg, #ffffff59 30%, #fff 50%, #ffffff59 70%) 0 / 250% 100%; animation: wait 1.4s linear infinite; }
.steps.done { opacity: 0; }

button, input { font: inherit; color: inherit; }
button { border: 0; border-radius: calc(var(--radius) * 0.75); padding: 7px 13px; cursor: pointer; touch-action: manipulation; }
button:disabled { opacity: 0.5; cursor: default; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.primary { background: var(--accent); color: var(--on-accent); font-weight: 600; }
.primary:hover:enabled { background: color-mix(in oklab, var(--accent) 88%, var(--ink)); }
.start {
  z-index: 1;
  place-self: end center;
  margin-block-end: 14px;
  display: flex;
  align-items: center;
  gap: 8px;
  border-radius: 99px;
  padding: 8px 18px 8px 15px;
  box-shadow: 0 2px 12px #0003;
}
.start svg { inline-size: 12px; fill: currentColor; }

.error {
  z-index: 1;
  place-self: end stretch;
  display: grid;
  gap: 8px;
  justify-items: start;
  margin: 8px;
  padding: 10px 12px;
  border-radius: calc(var(--radius) * 0.75);
  background: light-dark(#fff4f1, #3a1d1b);
  color: light-dark(#8c1d12, #ffc9c0);
  box-shadow: 0 2px 12px #0002;
  font-size: 12.5px;
  max-block-size: calc(100% - 16px);
  overflow: auto;
}
.error p { margin: 0; overflow-wrap: anywhere; }
.error button { padding: 4px 10px; background: light-dark(#8c1d1218, #ffc9c026); font-weight: 600; }

form { display: flex; gap: 6px; margin-block-start: 8px; }
input { flex: 1; min-inline-size: 0; padding: 7px 10px; border: 1px solid var(--line); border-radius: calc(var(--radius) * 0.75); background: var(--ground); }
.icon { display: grid; place-items: center; padding: 7px 9px; background: var(--ground); box-shadow: inset 0 0 0 1px var(--line); }
.icon svg { inline-size: 16px; fill: none; stroke: currentColor; stroke-width: 1.6; stroke-linecap: round; stroke-linejoin: round; }
.status { margin: 6px 2px 0; min-block-size: 1.4em; color: var(--muted); font-size: 12.5px; font-variant-numeric: tabular-nums; }
.unseen { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (prefers-reduced-motion: reduce) { *, ::before { animation-duration: 6s !important; transition: none !important; } }
`;
