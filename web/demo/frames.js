/** Owns the panel that shows the frames as they come, for those who would otherwise open the developer tools. */

import { byId, made, within } from "./dom.js";
import { say } from "./words.js";

const FRAMES_MAX = 200; // more than anybody reads
const PREVIEW = 160; // characters of a frame; all of it is laid out only when somebody opens it

/**
 * @param {import("../realtime.js").Realtime} realtime
 * @param {import("./wire.js").WireOf} wire
 */
export function createFrames(realtime, wire) {
  const section = byId("frames");
  const list = within(section, "ol");
  const pause = within(section, ".pause");
  /** @type {HTMLElement[] | null} */
  let held = null; // what has come during a pause

  realtime.on("frame", (text, frame) => {
    const line = row(text, frame);
    if (held) {
      held = [...held, line].slice(-FRAMES_MAX);
      label();
    } else {
      put([line]);
    }
  });

  /** @param {HTMLElement[]} lines */
  function put(lines) {
    list.prepend(...lines.reverse());
    while (list.children.length > FRAMES_MAX) {
      list.lastElementChild?.remove();
    }
  }

  /** What is on the controls. */
  function label() {
    pause.textContent = held ? say("goOn", { count: held.length }) : say("pause");
    pause.ariaPressed = String(held !== null);
    const holder = within(section, ".holder");
    holder.textContent = say(wire.leads ? "leads" : "follows");
    holder.classList.toggle("leads", wire.leads);
  }

  pause.addEventListener("click", () => {
    const lines = held;
    held = held ? null : [];
    put(lines ?? []);
    label();
  });
  within(section, ".clear").addEventListener("click", () => list.replaceChildren());
  within(section, ".heartbeats").addEventListener("change", ({ target }) => {
    list.classList.toggle("quiet", !(/** @type {HTMLInputElement} */ (target).checked));
  });
  wire.events.addEventListener("opened", label);
  realtime.on("hello", label);

  return { label };
}

/**
 * One frame, on one line; opened, it is printed in full.
 *
 * @param {string} text
 * @param {import("../realtime.js").Frame} frame
 */
function row(text, { event, seq, data, ...rest }) {
  const preview = made("span", "preview", JSON.stringify(data ?? rest).slice(0, PREVIEW));
  const summary = made("summary", "", made("span", "event", event), made("span", "seq", `#${seq}`), preview);
  summary.prepend(made("time", "", new Date().toLocaleTimeString(undefined, { timeStyle: "medium" })));
  const details = made("details", "", summary);
  details.addEventListener("toggle", () => {
    if (details.open && !details.querySelector("pre")) {
      const whole = made("pre", "", JSON.stringify(JSON.parse(text), null, 2));
      whole.tabIndex = 0; // it may have to be scrolled
      details.append(whole);
    }
  });
  const line = made("li", `of-${event.split(/[_:]/, 1)[0]}`, details);
  line.dataset.event = event;
  return line;
}
