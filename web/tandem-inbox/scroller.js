/** Owns how far the list is scrolled: in a box of its own or, if the style says so, with the page. */

import { element } from "./dom.js";
import { mayMove } from "./motion.js";

const FAR = 4; // px; a list that is scrolled by less still shows its beginning

/** Chromium and Firefox keep what is on the screen in its place, except where the list begins. */
const ANCHORED = CSS.supports("overflow-anchor", "auto");

export class Scroller {
  /** @param {...Node} children */
  constructor(...children) {
    this.element = element("div", { class: "scroller" }, ...children);
  }

  /** Whether the list begins above what is on the screen. */
  get isScrolled() {
    return this.#box.scrollTop > this.#start + FAR;
  }

  /**
   * Something has pushed what is on the screen down: hold it in its place.
   * @param {number} by px
   * @param {boolean} wasScrolled before that
   */
  hold(by, wasScrolled) {
    if (!(ANCHORED && wasScrolled)) {
      this.#box.scrollBy({ top: by, behavior: "instant" });
    }
  }

  /** Show where the list begins, for all to see how one gets there. */
  glideToStart() {
    this.#box.scrollTo({ top: this.#start, behavior: mayMove() ? "smooth" : "instant" });
  }

  /** Be there already, unless the page stands further up anyway. */
  jumpToStart() {
    if (this.isScrolled) {
      this.#box.scrollTo({ top: this.#start, behavior: "instant" });
    }
  }

  get #box() {
    const isOfPage = getComputedStyle(this.element).overflowY === "visible";
    return isOfPage ? /** @type {Element} */ (document.scrollingElement) : this.element;
  }

  /** Where the box stands when the list begins at its upper edge, in px. */
  get #start() {
    const box = this.#box;
    return box === this.element ? 0 : box.scrollTop + this.element.getBoundingClientRect().top;
  }
}
