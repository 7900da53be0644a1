/** Owns what is shown in place of a list: that it is on its way, that it is out of reach, and why it is empty. */

import { button, element, icon } from "./dom.js";

/**
 * @import { State } from "../inbox.js"
 * @import { Say } from "./strings.js"
 */

/** @typedef {"loading" | "unreachable" | "empty" | "caughtUp"} Pane */

const SKELETONS = 5; // rows; enough to fill the element, whose height is not known yet

export class Panes {
  element = element("div", { class: "panes" });
  #panes;
  #shown = /** @type {Pane | null} */ (null);

  /**
   * @param {Say} say
   * @param {() => void} onShowAll
   */
  constructor(say, onShowAll) {
    const all = button("show-all", say("showAll"));
    all.addEventListener("click", onShowAll);
    const bones = Array.from({ length: SKELETONS }, skeleton);
    const loading = element("div", { class: "loading" }, element("p", { class: "sr" }, say("loading")), ...bones);
    this.#panes = {
      loading,
      unreachable: pane("cloud", say("unreachableTitle"), say("unreachableText")),
      empty: pane("inbox", say("emptyTitle"), say("emptyText")),
      caughtUp: pane("checks", say("caughtUpTitle"), say("caughtUpText"), all),
    };
  }

  /**
   * Whether there is one to be shown instead of the list.
   * @param {State} state
   */
  show(state) {
    const pane = paneOf(state);
    if (pane !== this.#shown) {
      this.#shown = pane;
      this.element.replaceChildren(...(pane ? [this.#panes[pane]] : []));
    }
    return pane !== null;
  }

  /** Give the focus to what is shown; whether there is anything. */
  focus() {
    const title = this.element.querySelector("h3");
    title?.focus();
    return title !== null;
  }
}

/**
 * @param {State} state
 * @returns {Pane | null}
 */
function paneOf({ entries, loading, filter, status }) {
  if (entries.length) {
    return null;
  }
  if (loading) {
    return status === "offline" || status === "stopped" ? "unreachable" : "loading";
  }
  return filter === "unread" ? "caughtUp" : "empty";
}

/**
 * @param {import("./dom.js").Icon} drawing
 * @param {string} title
 * @param {string} text
 * @param {...Node} more
 */
function pane(drawing, title, text, ...more) {
  const picture = element("span", { class: "picture" }, icon(drawing));
  const words = [element("h3", { tabindex: "-1" }, title), element("p", {}, text)];
  return element("div", { class: "pane", part: "empty" }, picture, ...words, ...more);
}

function skeleton() {
  const lines = ["bone short", "bone", "bone half"].map((name) => element("span", { class: name }));
  const face = element("span", { class: "bone face" });
  return element("div", { class: "skeleton", "aria-hidden": "true" }, face, element("div", {}, ...lines));
}
