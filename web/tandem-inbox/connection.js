/** Owns saying how the connection is: calmly, since most breaks are over before anybody would have noticed them. */

import { element, write } from "./dom.js";

/** @import { Status } from "../realtime.js" */

const CALM = 1200; // ms that a connection may be looked for until that is shown
const UNHEARD = 6000; // ms without a connection until it is said aloud; a sentence lasts longer than most breaks

/** @type {Set<Status>} */
const PASSING = new Set(["connecting", "reconnecting"]);

export class Connection {
  #word = element("span", { class: "word" });
  #waiting = element("span", { class: "waiting" });
  #say;
  #tell;
  #status = /** @type {Status | ""} */ ("");
  #calm = 0;
  #patience = 0;
  #told = false;

  /**
   * @param {import("./strings.js").Say} say
   * @param {(sentence: string) => void} tell
   */
  constructor(say, tell) {
    this.#say = say;
    this.#tell = tell;
    const light = element("span", { class: "light", "aria-hidden": "true" });
    this.element = element("p", { class: "connection", part: "connection" }, light, this.#word, this.#waiting);
  }

  /**
   * @param {Status} status
   * @param {number} waiting actions that the server has not confirmed
   */
  show(status, waiting) {
    write(this.#waiting, waiting && status !== "live" ? this.#say("waiting", { count: waiting }) : "");
    if (status === this.#status) {
      return;
    }
    this.#status = status;
    clearTimeout(this.#calm);
    if (PASSING.has(status)) {
      this.#calm = window.setTimeout(() => this.#display(status), CALM);
    } else {
      this.#display(status);
    }
    if (status === "live") {
      this.#found();
    } else {
      this.#patience ||= window.setTimeout(() => this.#lost(), UNHEARD);
    }
  }

  rest() {
    clearTimeout(this.#calm);
    clearTimeout(this.#patience);
    this.#patience = 0;
    this.#status = "";
  }

  /** @param {Status} status */
  #display(status) {
    this.element.dataset.status = status;
    write(this.#word, status === "closed" ? "" : this.#say(status));
  }

  #lost() {
    this.#told = true;
    this.#tell(this.#say("lost"));
  }

  #found() {
    clearTimeout(this.#patience);
    this.#patience = 0;
    if (this.#told) {
      this.#told = false;
      this.#tell(this.#say("back"));
    }
  }
}
