/**
 * Owns the rows on the screen: only those that differ are touched, many are made in slices, and nothing moves what
 * somebody is reading.
 *
 * @import { Entry } from "../inbox.js"
 * @import { Row } from "./row.js"
 */

import { button, element, write } from "./dom.js";
import { ARRIVED, closeGap, placeOf, slideIn } from "./motion.js";
import { focusOn, Roving, rowAround } from "./roving.js";
import { RowMaker } from "./row.js";
import { Scroller } from "./scroller.js";
import { TICK } from "./times.js";

const SLICE = 8; // ms of work on rows until the browser gets a turn: half a frame, the other half is its layout

export class List {
  #say;
  #asked;
  #maker;
  #list;
  #pill;
  #focus;
  #scroller;
  #rows = /** @type {Map<string, Row>} */ (new Map());
  #rowOf = /** @type {WeakMap<Element, Row>} */ (new WeakMap());
  #wanted = /** @type {readonly Entry[]} */ ([]);
  #view = "";
  #isWhole = false; // whether all that was wanted has been on the screen once, in this view
  #fresh = /** @type {Set<string>} */ (new Set()); // keys of rows above the screen that nobody has seen yet
  #awaited = ""; // the key of a row that gets the focus as soon as it is there
  #slices = 0;
  #clock = 0;

  /**
   * @param {import("./strings.js").Say} say
   * @param {import("./times.js").Teller} times
   * @param {{open: (row: Row) => void, read: (row: Row) => void, remove: (row: Row) => void}} asked what somebody
   *   wants of a row
   */
  constructor(say, times, asked) {
    this.#say = say;
    this.#asked = asked;
    this.#maker = new RowMaker(say, times);
    this.#list = element("ol", { role: "list", part: "list", "aria-label": say("title"), "aria-describedby": "keys" });
    this.#focus = new Roving(this.#list);
    this.#pill = button("pill", "", "up");
    this.#pill.setAttribute("part", "pill");
    this.start = element("div", { class: "start" });
    this.end = element("div", { class: "end" });
    this.#scroller = new Scroller(
      element("div", { class: "above" }, this.#pill),
      element("div", { class: "rows" }, this.start, this.#list, this.end),
      element("p", { id: "keys", hidden: "" }, say("keys")),
    );
    this.element = this.#scroller.element;
    this.#list.addEventListener("click", (event) => this.#onClick(event));
    this.#list.addEventListener("keydown", (event) => this.#onKey(event));
    this.#pill.addEventListener("click", () => this.#onPill());
    this.#showPill();
  }

  /** Keep the times right, from now on until `rest`. */
  run() {
    const tick = () => {
      const now = new Date();
      this.#rows.forEach((row) => row.showTime(now));
    };
    this.#clock = window.setInterval(tick, TICK);
  }

  rest() {
    clearInterval(this.#clock);
    clearTimeout(this.#slices);
  }

  /**
   * Bring the screen to `entries`. Another `view` is another list: what is in it is not news, and it begins at its top.
   * @param {readonly Entry[]} entries
   * @param {string} view
   */
  render(entries, view) {
    this.#wanted = entries;
    if (view !== this.#view) {
      this.#view = view;
      this.#isWhole = false;
      this.#fresh.clear();
      this.#scroller.jumpToStart();
    }
    this.#removeOthers();
    this.#fill();
  }

  /**
   * Give the focus to the row of `key`, now or as soon as it is there; without a key, to the one that the Tab key leads
   * to. Whether it is there.
   * @param {string} [key]
   */
  focus(key) {
    if (key === undefined) {
      return this.#focus.focus();
    }
    const row = this.#rows.get(key);
    this.#awaited = row ? "" : key;
    focusOn(row?.element ?? null);
    return row !== undefined;
  }

  /** Somebody has seen where the list begins, as one is told a moment later: there may be news above it by now. */
  seen() {
    if (!this.#scroller.isScrolled) {
      this.#forgetNews();
    }
  }

  #removeOthers() {
    const keys = new Set(this.#wanted.map(({ key }) => key));
    const gone = [...this.#rows].filter(([key]) => !keys.has(key));
    for (const [key, { element: row }] of gone) {
      this.#rows.delete(key);
      this.#fresh.delete(key);
      const remove = () => this.#focus.remove(row);
      if (gone.length === 1) {
        closeGap(row, remove);
      } else {
        remove();
      }
    }
  }

  /** From the first row on, until the slice of time is used up; then again from the first, which costs little. */
  #fill() {
    clearTimeout(this.#slices);
    const settle = this.#watch();
    const until = performance.now() + SLICE;
    const first = this.#list.firstElementChild;
    const above = [];
    let next = first;
    for (const entry of this.#wanted) {
      let row = this.#rows.get(entry.key);
      if (row?.entry !== entry) {
        if (performance.now() > until) {
          this.#slices = window.setTimeout(() => this.#fill());
          break;
        }
        if (row) {
          row.show(entry);
        } else {
          row = this.#add(entry);
          if (next === first) {
            above.push(row);
          }
        }
      }
      if (row.element === next) {
        next = next.nextElementSibling;
      } else {
        this.#list.insertBefore(row.element, next);
      }
    }
    if (above.length) {
      settle(above);
    }
    this.#isWhole ||= this.#rows.size === this.#wanted.length;
    this.#focus.lead();
    this.#showPill();
  }

  /** @param {Entry} entry */
  #add(entry) {
    const row = this.#maker.make(entry);
    this.#rows.set(entry.key, row);
    this.#rowOf.set(row.element, row);
    if (entry.key === this.#awaited) {
      queueMicrotask(() => this.focus(entry.key));
    }
    return row;
  }

  /**
   * New rows push down what was on the screen: hold that in its place, or let them slide in. To be called before they
   * come, which is when one can see where things are; what it returns, with those that came.
   * @returns {(arrived: Row[]) => void}
   */
  #watch() {
    const first = this.#list.firstElementChild;
    if (!this.#isWhole || !first || this.#rows.get(this.#wanted[0]?.key)?.element === first) {
      return () => {};
    }
    const before = placeOf(first);
    const isScrolled = this.#scroller.isScrolled;
    const isRead = isScrolled || this.#focus.isHere || this.#list.matches(":hover"); // somebody may be aiming at a row
    return (arrived) => {
      const rows = arrived.map((row) => row.element);
      rows.forEach((row) => row.classList.add("arrived")); // its height is that of what is in it, at once
      setTimeout(() => rows.forEach((row) => row.classList.remove("arrived")), ARRIVED);
      const by = placeOf(first) - before;
      if (isRead) {
        this.#scroller.hold(by, isScrolled);
      }
      if (isRead && this.#scroller.isScrolled) {
        arrived.filter(({ entry }) => entry.key !== this.#awaited).forEach(({ entry }) => this.#fresh.add(entry.key));
      } else {
        slideIn(this.#list, rows, by);
      }
    };
  }

  /** @param {MouseEvent} event */
  #onClick({ target }) {
    const row = this.#rowOf.get(rowAround(target) ?? this.#list);
    const pressed = target instanceof Element ? target.closest("button") : null;
    if (!row || !pressed) {
      return;
    }
    if (pressed.classList.contains("read")) {
      focusOn(row.element); // the button goes
      this.#asked.read(row);
    } else if (pressed.classList.contains("remove")) {
      this.#asked.remove(row);
    } else {
      this.#asked.open(row);
    }
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const row = this.#rowOf.get(rowAround(event.target) ?? this.#list);
    if (!row || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) {
      return;
    }
    const removes = event.key === "Delete" || event.key === "Backspace"; // which some keyboards call Delete
    if (removes) {
      this.#asked.remove(row);
    }
    if (removes || this.#focus.follow(event.key, row.element)) {
      event.preventDefault();
    }
  }

  #onPill() {
    focusOn(this.#list.firstElementChild, "open", { preventScroll: true });
    this.#scroller.glideToStart();
    this.#forgetNews();
  }

  #forgetNews() {
    this.#fresh.clear();
    this.#showPill();
  }

  #showPill() {
    write(/** @type {Element} */ (this.#pill.querySelector(".words")), this.#say("fresh", { count: this.#fresh.size }));
    this.#pill.hidden = this.#fresh.size === 0;
  }
}
