/** Owns what stands above the list: the title with its badge, the connection, the filter, and marking all as read. */

import { Connection } from "./connection.js";
import { button, element, write } from "./dom.js";

/**
 * @import { State } from "../inbox.js"
 * @import { Status } from "../realtime.js"
 */

const COUNT_MAX = 999; // more than that is a lot, however much it is

export class Header {
  #badge = element("span", { class: "badge", part: "badge" });
  #number = element("span", { "aria-hidden": "true" });
  #spoken = element("span", { class: "sr" });
  #filters;
  #readAll;
  #say;

  /**
   * @param {import("./strings.js").Say} say
   * @param {(sentence: string) => void} tell
   * @param {{filter: (filter: State["filter"]) => void, readAll: () => void}} asked
   */
  constructor(say, tell, asked) {
    this.#say = say;
    this.connection = new Connection(say, tell);
    this.#badge.append(this.#number, this.#spoken);
    this.heading = element("h2", { id: "title", part: "title", tabindex: "-1" }, say("title"));
    this.#filters = { all: button("filter", say("all")), unread: button("filter", say("onlyUnread")) };
    this.#filters.all.addEventListener("click", () => asked.filter("all"));
    this.#filters.unread.addEventListener("click", () => asked.filter("unread"));
    this.#readAll = button("read-all", say("markAllRead"), "checks");
    this.#readAll.setAttribute("part", "mark-all");
    this.#readAll.title = say("markAllRead");
    this.#readAll.addEventListener("click", () => this.#readAll.ariaDisabled === "false" && asked.readAll());
    const group = { role: "group", class: "filters", part: "filter", "aria-label": say("filter") };
    this.element = element(
      "header",
      { part: "header" },
      element("div", { class: "line" }, this.heading, this.#badge, this.connection.element),
      element("div", { class: "line" }, element("div", group, ...Object.values(this.#filters)), this.#readAll),
    );
  }

  /** @param {State} state */
  show({ unread, filter, status, waiting }) {
    write(this.#number, unread > COUNT_MAX ? `${COUNT_MAX}+` : String(unread));
    write(this.#spoken, this.#say("unread", { count: unread }));
    this.#badge.hidden = unread === 0;
    for (const [name, each] of Object.entries(this.#filters)) {
      each.ariaPressed = String(name === filter);
    }
    this.#readAll.ariaDisabled = String(unread === 0); // not `disabled`: that would take the focus away
    this.connection.show(/** @type {Status} */ (status), waiting);
  }
}
