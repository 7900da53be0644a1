/** Owns what a screen reader is told unasked: results of one's own actions, and news, of which many are one. */

import { element } from "./dom.js";

const GATHER = 700; // ms in which news become one sentence; a burst of them would be read for minutes
const KEPT = 10_000; // ms until a sentence is taken away again, so that nobody comes across old news

/** @import { Say } from "./strings.js" */

export class LiveRegion {
  element = element("div", { class: "sr", role: "status", "aria-live": "polite", "aria-atomic": "false" });
  #say;
  #titles = /** @type {string[]} */ ([]);

  /** @param {Say} say */
  constructor(say) {
    this.#say = say;
  }

  /**
   * A node of its own each time: the same sentence said twice is read twice.
   * @param {string} sentence
   */
  tell(sentence) {
    const line = element("p", {}, sentence);
    this.element.append(line);
    setTimeout(() => line.remove(), KEPT);
  }

  /** @param {string} title of an item that has just come */
  news(title) {
    this.#titles.push(title);
    if (this.#titles.length === 1) {
      setTimeout(() => {
        this.tell(this.#say("news", { count: this.#titles.length, title: this.#titles[0] }));
        this.#titles = [];
      }, GATHER);
    }
  }
}
