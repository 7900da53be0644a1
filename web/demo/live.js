/** Owns what the parts of the page have in common: actions that may fail, focus, and state that follows the frames. */

import { CallFailed } from "./api.js";

const RETRY = 2000; // ms until state that could not be fetched is asked for again

/** Do what `element` stands for, unless that is under way. A failure is shown in its section. True if it was done. */
export async function attempt(element, action) {
  if (element.ariaBusy === "true") {
    return false;
  }
  const problem = element.closest("section").querySelector(".problem");
  element.ariaBusy = "true";
  try {
    await action();
    problem.textContent = "";
    return true;
  } catch (error) {
    if (!(error instanceof CallFailed)) {
      throw error;
    }
    problem.textContent = error.message;
    return false;
  } finally {
    element.ariaBusy = "false";
  }
}

/** Hide `element` or show it. A focus that would be lost goes to `next`. */
export function hide(element, hidden, next) {
  if (hidden && element.contains(document.activeElement)) {
    next.focus();
  }
  element.hidden = hidden;
}

/** State that is fetched, and then follows the frames. Those that arrive during a fetch wait for what it brings. */
export class LiveState {
  #section;
  #fetch;
  #apply;
  #held = null;
  #fetched = Promise.resolve();

  constructor(section, { fetch, apply }) {
    this.#section = section;
    this.#fetch = fetch;
    this.#apply = apply;
  }

  /** A frame has arrived. */
  receive(frame) {
    if (this.#held) {
      this.#held.push(frame);
    } else {
      this.#apply(frame);
    }
  }

  /** What is known is not to be trusted: fetch it anew, however long that takes. */
  refresh() {
    this.#fetched = this.#fetched.then(async () => {
      this.#held = [];
      while (!(await attempt(this.#section, this.#fetch))) {
        await new Promise((resolve) => setTimeout(resolve, RETRY));
      }
      const held = this.#held;
      this.#held = null;
      held.forEach((frame) => this.#apply(frame));
    });
  }
}
