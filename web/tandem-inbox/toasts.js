/** Owns the notes at the lower edge: what was deleted and can be had back, and what did not work. */

import { button, element } from "./dom.js";
import { rise } from "./motion.js";

/** @typedef {import("../inbox.js").State["removed"][number]} Removed */

const SHOWN = 3; // notes; Control and Z reaches the others
const PROBLEM_SHOWN = 10_000; // ms to read a sentence twice; not while somebody is at it

export class Toasts {
  element = element("div", { class: "toasts" });
  #notes = element("div", { class: "notes" });
  #say;
  #asked;
  #removed = /** @type {Map<string, HTMLElement>} */ (new Map());

  /**
   * @param {import("./strings.js").Say} say
   * @param {{undo: (removed: Removed) => void, hold: (on: boolean) => void, left: () => void}} asked `hold`: somebody
   *   is at a note, so all are to stay; `left`: the note that had the focus is gone
   */
  constructor(say, asked) {
    this.#say = say;
    this.#asked = asked;
    this.element.append(this.#notes);
    const notes = this.#notes;
    notes.addEventListener("pointerenter", () => asked.hold(true));
    notes.addEventListener("focusin", () => asked.hold(true));
    notes.addEventListener("pointerleave", () => asked.hold(notes.matches(":focus-within")));
    notes.addEventListener("focusout", ({ relatedTarget }) => {
      asked.hold(notes.matches(":hover") || (relatedTarget instanceof Node && notes.contains(relatedTarget)));
    });
  }

  /** @param {readonly Removed[]} removed the latest last */
  show(removed) {
    const shown = removed.slice(-SHOWN);
    if (this.#isHeld()) {
      this.#asked.hold(true); // the new ones too
    }
    for (const [id, note] of this.#removed) {
      if (!shown.some((each) => each.id === id)) {
        this.#removed.delete(id);
        this.#drop(note);
      }
    }
    for (const { id, title } of shown) {
      if (!this.#removed.has(id)) {
        const undo = button("undo", this.#say("undo"));
        undo.setAttribute("aria-keyshortcuts", "Control+Z");
        undo.setAttribute("aria-label", `${this.#say("undo")}: ${this.#say("removed", { title })}`);
        undo.addEventListener("click", () => this.#asked.undo({ id, title }));
        this.#removed.set(id, this.#add(this.#say("removed", { title }), undo));
      }
    }
  }

  /** @param {string} sentence what did not work */
  problem(sentence) {
    const dismiss = button("dismiss", this.#say("dismiss"), "cross");
    const note = this.#add(sentence, dismiss);
    note.classList.add("problem");
    dismiss.addEventListener("click", () => this.#drop(note));
    const later = () => setTimeout(() => (this.#isHeld() ? later() : this.#drop(note)), PROBLEM_SHOWN);
    later();
  }

  /**
   * @param {string} sentence
   * @param {HTMLButtonElement} action
   */
  #add(sentence, action) {
    const note = element("div", { class: "toast", part: "toast" }, element("p", {}, sentence), action);
    this.#notes.append(note);
    rise(note);
    return note;
  }

  /** @param {HTMLElement} note */
  #drop(note) {
    const focused = note.matches(":focus-within");
    note.remove();
    this.#asked.hold(this.#isHeld());
    if (focused) {
      this.#asked.left();
    }
  }

  #isHeld() {
    return this.#notes.matches(":hover, :focus-within");
  }
}
