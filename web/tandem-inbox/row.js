/** Owns one row of the list: how an item or a suggestion looks, and nothing of what is done with it. */

import { button, element, icon, write } from "./dom.js";
import { dayOf } from "./times.js";

/**
 * @import { Item } from "../api.js"
 * @import { Entry } from "../inbox.js"
 * @import { Say } from "./strings.js"
 * @import { Teller } from "./times.js"
 */

const TITLE_MAX = 200; // characters; where the service cuts a title that it makes
const FACES = 6; // colours

/** What is the same in all rows: it is made once and copied, which is several times as fast as making it. */
export class RowMaker {
  #say;
  #times;
  #item;
  #suggestion;

  /**
   * @param {Say} say
   * @param {Teller} times
   */
  constructor(say, times) {
    this.#say = say;
    this.#times = times;
    this.#item = shell([button("read", say("markRead"), "check"), button("remove", say("remove"), "bin")]);
    const call = element("span", { class: "call", "aria-hidden": "true" }, icon("pen"), say("answer"));
    this.#suggestion = shell([call]);
    this.#suggestion.classList.add("suggestion");
    this.#suggestion.querySelector(".kicker")?.append(say("suggestion"));
    this.#suggestion.querySelector(".face")?.append(icon("pen"));
  }

  /** @param {Entry} entry */
  make(entry) {
    const pattern = entry.type === "item" ? this.#item : this.#suggestion;
    return new Row(/** @type {HTMLLIElement} */ (pattern.cloneNode(true)), entry, this.#say, this.#times);
  }
}

export class Row {
  entry;
  #say;
  #times;
  #at = new Date(0);
  #parts;

  /**
   * @param {HTMLLIElement} place
   * @param {Entry} entry
   * @param {Say} say
   * @param {Teller} times
   */
  constructor(place, entry, say, times) {
    this.element = place;
    this.entry = entry;
    this.#say = say;
    this.#times = times;
    /** @type {(name: string) => HTMLElement} */
    const part = (name) => /** @type {HTMLElement} */ (place.querySelector(name));
    this.#parts = { mark: part(".mark"), title: part(".title"), body: part(".body"), time: part("time") };
    this.show(entry);
  }

  /** In words, as they stand in the row. */
  get title() {
    return this.#parts.title.textContent ?? "";
  }

  /** @param {Entry} entry */
  show(entry) {
    this.entry = entry;
    if (entry.type === "item") {
      this.#showItem(entry.item);
    } else {
      this.#at = dayOf(entry.suggestion.date);
      write(this.#parts.title, entry.suggestion.question);
      this.#parts.time.setAttribute("datetime", entry.suggestion.date);
    }
    this.showTime(new Date());
  }

  /**
   * Time passes: what was a minute ago is two.
   * @param {Date} now
   */
  showTime(now) {
    const { near, day } = this.#times;
    write(this.#parts.time, (this.entry.type === "item" ? near : day)(this.#at, now));
  }

  /** @param {Item} item */
  #showItem(item) {
    const { mark, title, body, time } = this.#parts;
    const [read, remove] = this.element.querySelectorAll("button.read, button.remove");
    const words = titleOf(item, this.#say);
    write(mark, item.is_read ? "" : this.#say("isUnread"));
    write(title, words);
    write(body, item.body);
    this.element.classList.toggle("unread", !item.is_read);
    read.toggleAttribute("hidden", item.is_read);
    read.setAttribute("aria-label", `${this.#say("markRead")}: ${words}`);
    remove.setAttribute("aria-label", `${this.#say("remove")}: ${words}`);
    if (time.getAttribute("datetime") !== item.created_at) {
      this.#at = new Date(item.created_at);
      time.setAttribute("datetime", item.created_at);
      time.title = this.#times.full(this.#at);
      showFace(/** @type {Element} */ (this.element.querySelector(".face")), item);
    }
  }
}

/**
 * The service makes the titles of answers, in English: those are said in the reader's language, others as they are.
 * @param {Item} item
 * @param {Say} say
 */
export function titleOf({ title, sender_id: sender, data }, say) {
  const question = typeof data?.question === "string" ? data.question : "";
  const made = `${sender} answered: ${question}`.slice(0, TITLE_MAX);
  return sender && question && title === made ? say("answered", { sender, question }) : title;
}

/**
 * Who it is from: a letter in a colour of their own; a bell if it is from nobody.
 * @param {Element} face
 * @param {Item} item
 */
function showFace(face, { sender_id: sender }) {
  if (!sender) {
    return face.replaceChildren(icon("bell"));
  }
  const hue = [...sender].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 997, 7) % FACES;
  face.replaceChildren(sender[0].toUpperCase());
  face.className = `face hue-${hue}`;
}

/** @param {Element[]} actions */
function shell(actions) {
  const open = button("open", "");
  open.replaceChildren(element("span", { class: "sr mark" }), " ", element("span", { class: "title" }));
  for (const each of [open, ...actions]) {
    if (each instanceof HTMLButtonElement) {
      each.tabIndex = -1; // the list has one place in the order of the Tab key; arrows lead on from it
    }
  }
  const words = [element("p", { class: "kicker" }), element("h3", {}, open), element("p", { class: "body" })];
  return element(
    "li",
    { class: "row", part: "entry" },
    element("span", { class: "face", "aria-hidden": "true" }),
    element("div", { class: "text" }, ...words),
    element("div", { class: "side" }, element("time"), element("div", { class: "actions" }, ...actions)),
  );
}
