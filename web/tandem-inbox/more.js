/** Owns asking for more as somebody comes near the end of the list, and what stands there. */

import { button, element } from "./dom.js";

/** @import { State } from "../inbox.js" */

const WORTH_SAYING = 20; // entries; that a short list is at its end can be seen

export class More {
  element = element("div", { class: "foot" });
  #button;
  #loading;
  #end;
  #onMore;
  #near = false;
  #asked = -1; // how many entries there were when more were asked for: no answer is no reason to ask again
  #state = /** @type {State | null} */ (null);

  /**
   * @param {import("./strings.js").Say} say
   * @param {() => void} onMore
   */
  constructor(say, onMore) {
    this.#onMore = onMore;
    this.#button = button("more", say("more"));
    this.#button.addEventListener("click", onMore);
    this.#loading = element("p", {}, element("span", { class: "wheel", "aria-hidden": "true" }), say("loadingMore"));
    this.#end = element("p", {}, say("end"));
    this.element.append(this.#button, this.#loading, this.#end);
  }

  /** @param {boolean} is whether somebody is near the end */
  near(is) {
    this.#near = is;
    this.#asked = -1;
    this.#ask();
  }

  /** @param {State} state */
  show(state) {
    this.#state = state;
    const { hasMore, loadingMore, entries } = state;
    this.#button.hidden = !hasMore || loadingMore;
    this.#loading.hidden = !loadingMore;
    this.#end.hidden = hasMore || entries.length < WORTH_SAYING;
    this.#ask();
  }

  #ask() {
    const { hasMore, loadingMore, loading, entries } = this.#state ?? { hasMore: false, entries: [] };
    if (this.#near && hasMore && !loadingMore && !loading && this.#asked !== entries.length) {
      this.#asked = entries.length;
      this.#onMore();
    }
  }
}
