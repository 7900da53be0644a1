/**
 * Owns how it looks. From outside it is styled by the variables below, all optional, and by the parts `panel`,
 * `header`, `title`, `badge`, `connection`, `filter`, `mark-all`, `list`, `entry`, `pill`, `toast` and `empty`.
 *
 * `--tandem-font`, `--tandem-radius`, `--tandem-accent`, `--tandem-on-accent`, `--tandem-text`, `--tandem-muted`,
 * `--tandem-panel`, `--tandem-card`, `--tandem-line`, `--tandem-good`, `--tandem-wait`, `--tandem-bad`;
 * `--tandem-max-height`, and `--tandem-overflow: visible` for a list that the page scrolls.
 */

const CSS = `
:host {
  --accent: var(--tandem-accent, light-dark(#3a4cc9, #a3b3ff));
  --on-accent: var(--tandem-on-accent, light-dark(#fff, #14161c));
  --text: var(--tandem-text, light-dark(#191b22, #eceef3));
  --muted: var(--tandem-muted, light-dark(#5a5f6d, #a5abba));
  --panel: var(--tandem-panel, light-dark(#f6f6f9, #14161b));
  --card: var(--tandem-card, light-dark(#fff, #1d2027));
  --line: var(--tandem-line, light-dark(#e2e3ea, #2f333d));
  --good: var(--tandem-good, light-dark(#1c7a41, #66d390));
  --wait: var(--tandem-wait, light-dark(#8f5300, #ffc56e));
  --bad: var(--tandem-bad, light-dark(#b8261d, #ff9f96));
  --radius: var(--tandem-radius, 14px);
  --tint: color-mix(in srgb, var(--accent) 7%, var(--card));
  --lift: 0 1px 2px light-dark(rgb(20 22 40 / .06), rgb(0 0 0 / .3));
  display: block;
  max-height: var(--tandem-max-height, min(46rem, 90dvh));
  color-scheme: light dark;
  color: var(--text);
  font: var(--tandem-font, 400 1rem/1.45 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif);
  -webkit-font-smoothing: antialiased;
}
:host([theme="light"]) { color-scheme: light; }
:host([theme="dark"]) { color-scheme: dark; }
:host([hidden]), [hidden] { display: none !important; }
*, *::before, *::after { box-sizing: border-box; margin: 0; }
.sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
svg {
  flex: none; width: 1.15em; height: 1.15em; fill: none; stroke: currentColor; stroke-width: 1.9;
  stroke-linecap: round; stroke-linejoin: round;
}

button {
  display: inline-flex; align-items: center; justify-content: center; gap: .4em;
  padding: .4rem .7rem; border: 1px solid transparent; border-radius: 999px;
  font: inherit; font-size: .875rem; font-weight: 550; line-height: 1.2; color: inherit; background: none;
  cursor: pointer; touch-action: manipulation; -webkit-tap-highlight-color: transparent;
  transition: background-color .12s, color .12s, border-color .12s;
}
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
[tabindex="-1"]:focus-visible:not(button) { outline-offset: 4px; border-radius: 4px; }

.panel {
  container: inbox / inline-size;
  display: flex; flex-direction: column; height: 100%; max-height: inherit;
  border: 1px solid var(--line); border-radius: var(--radius); background: var(--panel);
}

header { display: grid; gap: .7rem; padding: 1rem 1rem .8rem 1.15rem; border-bottom: 1px solid var(--line); }
.line { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem .55rem; min-height: 1.9rem; }
h2 { font-size: 1.3rem; font-weight: 680; letter-spacing: -.015em; line-height: 1.2; }
.badge {
  min-width: 1.5rem; padding: .1rem .45rem; border-radius: 999px; text-align: center;
  font-size: .8rem; font-weight: 650; line-height: 1.3; font-variant-numeric: tabular-nums;
  color: var(--on-accent); background: var(--accent);
}
.connection {
  display: flex; flex-wrap: wrap; align-items: center; justify-content: end; gap: 0 .45rem; margin-left: auto;
  font-size: .8125rem; color: var(--muted);
}
.connection:not([data-status]), .connection[data-status="closed"] { visibility: hidden; }
.light { width: .5rem; height: .5rem; border-radius: 50%; background: var(--good); }
[data-status="connecting"] .light, [data-status="reconnecting"] .light {
  background: var(--wait); animation: breathe 1.6s ease-in-out infinite;
}
[data-status="offline"] .light, [data-status="stopped"] .light { background: var(--bad); }
[data-status]:not([data-status="live"]) .word { font-weight: 600; color: var(--text); }
.word:empty, .waiting:empty { display: none; }
.waiting::before { content: "· "; }

.filters { display: flex; gap: 2px; padding: 3px; border-radius: 999px; background: light-dark(#e8e9ef, #23262e); }
.filter { padding: .3rem .85rem; color: var(--muted); }
.filter:hover { color: var(--text); }
.filter[aria-pressed="true"] {
  color: var(--text); background: light-dark(#fff, #3b404d); box-shadow: 0 1px 2px rgb(0 0 0 / .14);
}
.read-all { margin-left: auto; color: var(--accent); }
.read-all:hover { background: color-mix(in srgb, var(--accent) 10%, transparent); }
.read-all:active { background: color-mix(in srgb, var(--accent) 18%, transparent); }
.read-all[aria-disabled="true"] { color: var(--muted); background: none; cursor: default; opacity: .75; }

.scroller {
  position: relative; flex: 1 1 auto; min-height: 0; overflow-x: clip; overflow-y: var(--tandem-overflow, auto);
  overscroll-behavior: contain; scrollbar-width: thin; scrollbar-color: var(--line) transparent;
  scroll-padding: 3.5rem .75rem;
}
.rows { position: relative; }
.start { height: 1px; margin-bottom: -1px; }
.end { position: absolute; bottom: 0; width: 1px; height: min(100%, 50rem); visibility: hidden; }
ol { padding: .75rem; list-style: none; } /* no grid: it would lay out all rows when one changes */

.row {
  position: relative; display: grid; grid-template-columns: auto 1fr auto; gap: 0 .8rem; margin-bottom: .5rem;
  padding: .85rem .75rem .8rem .9rem; border: 1px solid var(--line); border-radius: calc(var(--radius) - 3px);
  background: var(--card); box-shadow: var(--lift);
  content-visibility: auto; contain-intrinsic-size: auto 6.2rem;
  transition: background-color .15s, border-color .15s;
}
.row:last-child { margin-bottom: 0; }
.row.arrived { content-visibility: visible; }
.row:hover { border-color: color-mix(in srgb, var(--accent) 35%, var(--line)); }
.row:active:not(:has(.actions :active)) { background: color-mix(in srgb, var(--accent) 4%, var(--card)); }
.row.unread { border-color: color-mix(in srgb, var(--accent) 26%, var(--line)); background: var(--tint); }
.row.unread::before {
  content: ""; position: absolute; inset: 0 auto 0 0; width: 4px; background: var(--accent);
  border-radius: calc(var(--radius) - 3px) 0 0 calc(var(--radius) - 3px);
}
.row:focus-within:has(.open:focus-visible) { outline: 2px solid var(--accent); outline-offset: 1px; }

.face {
  display: grid; place-items: center; width: 2.25rem; height: 2.25rem; border-radius: 50%;
  font-size: .95rem; font-weight: 620; color: var(--muted); background: light-dark(#ebecf2, #2a2e37);
}
.hue-0 { color: light-dark(#27409b, #bac8ff); background: light-dark(#e1e7fd, #28325c); }
.hue-1 { color: light-dark(#0d5f56, #94e2d5); background: light-dark(#d5f1ec, #173f3b); }
.hue-2 { color: light-dark(#7d3a10, #ffcba4); background: light-dark(#fde8d8, #4b2f1d); }
.hue-3 { color: light-dark(#8a2358, #ffb7da); background: light-dark(#fbe2ee, #4d2238); }
.hue-4 { color: light-dark(#5b2f9c, #d8c1ff); background: light-dark(#ede4fc, #3a2a5a); }
.hue-5 { color: light-dark(#4b5a0b, #d6e48a); background: light-dark(#eef3cd, #363d17); }
.text { display: grid; align-content: start; gap: .15rem; min-width: 0; overflow-wrap: anywhere; }
.kicker { font-size: .75rem; font-weight: 620; color: var(--accent); }
.kicker:empty, .row .body:empty { display: none; }
h3 { font-size: .9688rem; font-weight: 480; line-height: 1.38; letter-spacing: -.003em; }
.unread h3 { font-weight: 660; }
.open { display: inline; padding: 0; border: 0; border-radius: 4px; font: inherit; text-align: start; }
.open:focus-visible { outline: none; }
.open::after { content: ""; position: absolute; inset: 0; border-radius: inherit; }
.body {
  font-size: .9063rem; color: var(--muted); white-space: pre-line; display: -webkit-box; -webkit-box-orient: vertical;
  -webkit-line-clamp: 3; overflow: hidden;
}
.whole .body { -webkit-line-clamp: none; color: inherit; }
.side { display: flex; flex-direction: column; align-items: end; justify-content: space-between; gap: .3rem; }
time {
  position: relative; padding-top: .15rem; font-size: .8125rem; color: var(--muted); white-space: nowrap;
  font-variant-numeric: tabular-nums;
}
.actions { position: relative; display: flex; gap: .15rem; margin: 0 -.25rem -.2rem 0; }
.actions button { width: 2.1rem; height: 2.1rem; padding: 0; color: var(--muted); }
.actions .words { display: none; }
.actions button:hover { color: var(--accent); background: color-mix(in srgb, var(--accent) 12%, transparent); }
.actions .remove:hover { color: var(--bad); background: color-mix(in srgb, var(--bad) 12%, transparent); }
.actions button:active { transform: scale(.94); }
.suggestion { border-style: dashed; border-color: color-mix(in srgb, var(--accent) 45%, var(--line)); }
.suggestion .face { color: var(--accent); background: color-mix(in srgb, var(--accent) 13%, var(--card)); }
.call {
  display: inline-flex; align-items: center; gap: .4em; padding: .3rem .7rem; border-radius: 999px;
  font-size: .8125rem; font-weight: 620; color: var(--on-accent); background: var(--accent); pointer-events: none;
}
.suggestion .actions { margin: 0; pointer-events: none; }

.above { position: sticky; top: .6rem; z-index: 2; display: flex; justify-content: center; height: 0; }
.pill {
  height: 2.1rem; padding: 0 .95rem 0 .8rem; color: var(--on-accent); background: var(--accent);
  box-shadow: 0 4px 14px rgb(0 0 0 / .22);
}
.pill:hover { background: color-mix(in srgb, var(--accent) 88%, var(--text)); }
.foot {
  display: grid; place-items: center; min-height: .25rem; padding-bottom: .5rem; font-size: .875rem;
  color: var(--muted);
}
.foot p { display: flex; align-items: center; gap: .5rem; padding: .5rem 0 .75rem; }
.more, .show-all { border-color: var(--line); background: var(--card); }
.more:hover, .show-all:hover { border-color: var(--accent); color: var(--accent); }
.wheel {
  width: 1rem; height: 1rem; border: 2px solid var(--line); border-top-color: var(--accent); border-radius: 50%;
  animation: turn .9s linear infinite;
}

.panes { overflow-y: auto; min-height: 0; }
.pane {
  display: grid; justify-items: center; align-content: center; gap: .4rem; min-height: 17rem;
  padding: 2rem 1.5rem 2.5rem; text-align: center; text-wrap: balance;
}
.pane h3 { font-size: 1.1rem; font-weight: 640; }
.pane p { max-width: 24rem; color: var(--muted); }
.pane button { margin-top: .6rem; }
.picture {
  display: grid; place-items: center; width: 4.2rem; height: 4.2rem; margin-bottom: .5rem; border-radius: 50%;
  font-size: 1.65rem; color: var(--accent); background: color-mix(in srgb, var(--accent) 12%, var(--panel));
}
.loading { display: grid; gap: .5rem; padding: .75rem; animation: appear .25s .12s both; }
.skeleton {
  display: grid; grid-template-columns: auto 1fr; gap: .8rem; padding: .9rem; border: 1px solid var(--line);
  border-radius: calc(var(--radius) - 3px); background: var(--card);
}
.skeleton div { display: grid; gap: .55rem; align-content: center; }
.bone { height: .7rem; border-radius: 6px; background: var(--line); animation: breathe 1.6s ease-in-out infinite; }
.bone.face { height: 2.25rem; border-radius: 50%; }
.bone.short { width: 38%; }
.bone.half { width: 62%; }

.toasts { position: sticky; bottom: 0; z-index: 3; height: 0; }
.notes {
  position: absolute; inset: auto .75rem .75rem; display: grid; gap: .4rem; justify-items: center;
  pointer-events: none;
}
.toast {
  display: flex; align-items: center; gap: .75rem; max-width: min(100%, 28rem); padding: .45rem .5rem .45rem 1rem;
  border-radius: 12px;
  font-size: .9063rem; color: light-dark(#f3f4f8, #191b22); background: light-dark(#23262f, #eceef3);
  box-shadow: 0 6px 24px rgb(0 0 0 / .25); pointer-events: auto;
}
.toast p {
  min-width: 0; display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden;
  overflow-wrap: anywhere;
}
.toast button { flex: none; color: light-dark(#b9c5ff, #3243b5); }
.toast button:hover { background: light-dark(rgb(255 255 255 / .12), rgb(0 0 0 / .08)); }
.toast :focus-visible { outline-color: currentColor; outline-offset: 0; }
.problem { border-inline-start: 4px solid var(--bad); }
.dismiss { width: 2.1rem; height: 2.1rem; padding: 0; }
.dismiss .words { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }

@container inbox (width < 30rem) {
  header { padding: .9rem .9rem .7rem 1rem; }
  ol, .loading { padding: .5rem; }
  .row {
    grid-template-columns: auto 1fr; padding: .75rem .7rem .55rem .85rem; gap: 0 .7rem;
    contain-intrinsic-size: auto 8rem;
  }
  .side { grid-column: 2; flex-direction: row; align-items: center; margin-top: .25rem; min-height: 2.1rem; }
  time { padding: 0; }
  .actions { margin-bottom: 0; }
  .read-all { width: 2.25rem; height: 2.25rem; padding: 0; }
  .read-all .words { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .face { width: 2rem; height: 2rem; font-size: .875rem; }
}
@container inbox (width > 46rem) {
  .row { padding: 1rem 1rem .95rem 1.15rem; gap: 0 1rem; }
  header { padding-inline: 1.4rem 1.15rem; }
}
@media (pointer: coarse) {
  .actions button, .dismiss { width: 2.6rem; height: 2.6rem; }
  .filter { padding-block: .5rem; }
}
@media (prefers-reduced-motion: reduce) {
  *, *::before, *::after { animation: none !important; transition: none !important; }
}
@media (prefers-contrast: more) {
  :host { --muted: var(--text); --line: var(--text); }
}
@media (forced-colors: active) {
  .row.unread::before, .badge, .light, .pill, .call {
    forced-color-adjust: none; color: HighlightText; background: Highlight;
  }
  .filter[aria-pressed="true"] { forced-color-adjust: none; color: HighlightText; background: Highlight; }
  .toast, .pane .picture { border: 1px solid; }
  .bone { border: 1px solid; }
  [data-status="offline"] .light, [data-status="stopped"] .light { background: Canvas; border: 2px solid CanvasText; }
}
@keyframes breathe { 50% { opacity: .45; } }
@keyframes turn { to { transform: rotate(1turn); } }
@keyframes appear { from { opacity: 0; } }
`;

let sheet = /** @type {CSSStyleSheet | null} */ (null);

/** One sheet for all elements on the page; a policy that forbids inline styles allows it. */
export function styles() {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
  }
  return sheet;
}
