/**
 * Owns `<tandem-inbox>`: puts its parts together, and passes on what somebody wants and what the inbox says.
 *
 *     import "/web/tandem-inbox.js";
 *     document.querySelector("tandem-inbox").inbox = createInbox({ api, realtime });
 *
 * Attributes: `lang` ("en", "de"; without it, the language of the page), `theme` ("light", "dark"; without it, the
 * reader's). Style it by the `--tandem-*` variables and the parts that `tandem-inbox/styles.js` names. It takes the
 * width that it is given, and never scrolls sideways.
 */

import { element } from "./tandem-inbox/dom.js";
import { Header } from "./tandem-inbox/header.js";
import { List } from "./tandem-inbox/list.js";
import { LiveRegion } from "./tandem-inbox/live-region.js";
import { More } from "./tandem-inbox/more.js";
import { Panes } from "./tandem-inbox/panes.js";
import { titleOf } from "./tandem-inbox/row.js";
import { languageOf, speaker } from "./tandem-inbox/strings.js";
import { styles } from "./tandem-inbox/styles.js";
import { teller } from "./tandem-inbox/times.js";
import { Toasts } from "./tandem-inbox/toasts.js";

/**
 * @import { Inbox, State } from "./inbox.js"
 * @import { Row } from "./tandem-inbox/row.js"
 * @import { Key, Phrase, Say } from "./tandem-inbox/strings.js"
 */

/** @typedef {Partial<Record<Key, Phrase>>} Strings */

/**
 * @typedef {{panel: HTMLElement, say: Say, live: LiveRegion, header: Header, list: List, panes: Panes, more: More,
 *   toasts: Toasts}} Parts
 */

/**
 * @fires TandemInbox#tandem-open an entry was activated; `detail` is the entry as in `inbox.state.entries`. Unless the
 *   event is cancelled an item is then marked as read and shown with all of its text.
 */
export class TandemInbox extends HTMLElement {
  static observedAttributes = ["lang"];

  #root = this.attachShadow({ mode: "open" });
  #inbox = /** @type {Inbox | null} */ (null);
  #strings = /** @type {Strings} */ ({});
  #parts = /** @type {Parts | null} */ (null);
  #keys = /** @type {Map<string, string>} */ (new Map()); // of what was removed, by id
  #stop = () => {};

  constructor() {
    super();
    this.#root.adoptedStyleSheets = [styles()];
    this.#root.addEventListener("keydown", (event) => this.#onKey(/** @type {KeyboardEvent} */ (event)));
  }

  /** What is shown: of `createInbox`. Null ends that. */
  get inbox() {
    return this.#inbox;
  }

  set inbox(inbox) {
    this.#inbox = inbox;
    this.#start();
  }

  /** Words that are said otherwise than shipped, by their keys in `tandem-inbox/strings.js`. */
  get strings() {
    return this.#strings;
  }

  set strings(strings) {
    this.#strings = strings;
    this.#start();
  }

  connectedCallback() {
    this.#takeEarly("strings");
    this.#takeEarly("inbox");
    this.#start();
  }

  disconnectedCallback() {
    this.#stop();
  }

  attributeChangedCallback() {
    this.#start();
  }

  /** Everything anew: in this language, of this inbox. Nothing while it is on no page. */
  #start() {
    this.#stop();
    if (!this.isConnected) {
      return;
    }
    const inbox = this.#inbox;
    const parts = (this.#parts = this.#build());
    this.#root.replaceChildren(parts.panel);
    const sight = new IntersectionObserver((seen) => this.#onSight(seen));
    sight.observe(parts.list.start);
    sight.observe(parts.list.end);
    const endings = inbox
      ? [
          inbox.subscribe(() => this.#show(inbox.state)),
          inbox.on("news", ({ item }) => parts.live.news(titleOf(item, parts.say))),
          inbox.on("problem", ({ message }) => this.#onProblem(message)),
        ]
      : [];
    parts.list.run();
    this.#stop = () => {
      endings.forEach((end) => end());
      sight.disconnect();
      parts.list.rest();
      parts.header.connection.rest();
      this.#stop = () => {};
    };
    if (inbox) {
      this.#show(inbox.state);
    }
  }

  /** The parts, which are there from the first `#start` on. */
  get #made() {
    return /** @type {Parts} */ (this.#parts);
  }

  /** @returns {Parts} */
  #build() {
    const language = languageOf(this.closest("[lang]")?.getAttribute("lang") ?? document.documentElement.lang);
    const say = speaker(language, this.#strings);
    const live = new LiveRegion(say);
    const tell = live.tell.bind(live);
    const header = new Header(say, tell, {
      filter: (filter) => this.#inbox?.setFilter(filter),
      readAll: () => {
        this.#inbox?.markAllRead();
        tell(say("allWereRead"));
      },
    });
    const list = new List(say, teller(language), {
      open: (row) => this.#onOpen(row),
      read: (row) => {
        if (row.entry.type === "item") {
          this.#inbox?.markRead(row.entry.item.id);
          tell(say("wasRead"));
        }
      },
      remove: (row) => this.#onRemove(row),
    });
    const panes = new Panes(say, () => this.#inbox?.setFilter("all"));
    const more = new More(say, () => this.#inbox?.more());
    const toasts = new Toasts(say, {
      undo: (removed) => this.#undo(removed),
      hold: (on) => this.#inbox?.hold(on),
      left: () => this.#rescueFocus(),
    });
    list.element.append(more.element);
    const panel = element(
      "section",
      { class: "panel", part: "panel", "aria-labelledby": "title" },
      header.element,
      list.element,
      panes.element,
      toasts.element,
      live.element,
    );
    return { panel, say, live, header, list, panes, more, toasts };
  }

  /** @param {State} state */
  #show(state) {
    const { header, list, panes, more, toasts } = this.#made;
    const focused = this.#root.activeElement;
    header.show(state);
    list.element.hidden = panes.show(state);
    if (!state.loading || state.entries.length) {
      list.render(state.entries, state.filter);
    }
    more.show(state);
    toasts.show(state.removed);
    if (focused && !this.#root.activeElement) {
      this.#rescueFocus();
    }
  }

  /** @param {IntersectionObserverEntry[]} seen */
  #onSight(seen) {
    for (const { target, isIntersecting } of seen) {
      if (target === this.#parts?.list.end) {
        this.#parts.more.near(isIntersecting);
      } else if (isIntersecting) {
        this.#parts?.list.seen();
      }
    }
  }

  /** @param {Row} row */
  #onOpen({ entry, element: shown }) {
    const open = new CustomEvent("tandem-open", { detail: entry, bubbles: true, composed: true, cancelable: true });
    if (this.dispatchEvent(open) && entry.type === "item") {
      shown.classList.toggle("whole");
      if (!entry.item.is_read) {
        this.#inbox?.markRead(entry.item.id);
      }
    }
  }

  /** @param {Row} row */
  #onRemove({ entry, title }) {
    if (entry.type === "item") {
      const { live, say } = this.#made;
      this.#keys.set(entry.item.id, entry.key);
      this.#inbox?.remove(entry.item.id);
      live.tell(`${say("removed", { title })}. ${say("canUndo")}`);
    }
  }

  /** @param {{id: string, title: string}} removed which comes back, with the focus on it */
  #undo({ id, title }) {
    const { live, list, say } = this.#made;
    this.#inbox?.undo(id);
    list.focus(this.#keys.get(id));
    live.tell(say("restored", { title }));
  }

  /** @param {string} message */
  #onProblem(message) {
    const { live, toasts, say } = this.#made;
    const sentence = say("problem", { message });
    toasts.problem(sentence);
    live.tell(sentence);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const last = this.#inbox?.state.removed.at(-1);
    if (last && event.key === "z" && (event.ctrlKey || event.metaKey) && !event.shiftKey) {
      event.preventDefault();
      this.#undo(last);
    }
  }

  /**
   * What the page has set before this class was there stands in the way of it.
   * @param {"inbox" | "strings"} name
   */
  #takeEarly(name) {
    if (Object.hasOwn(this, name)) {
      const early = Object.getOwnPropertyDescriptor(this, name)?.value;
      Reflect.deleteProperty(this, name);
      Reflect.set(this, name, early);
    }
  }

  /** What had the focus is gone: it must not fall back to the beginning of the page. */
  #rescueFocus() {
    const { list, panes, header } = this.#made;
    if (!list.focus() && !panes.focus()) {
      header.heading.focus();
    }
  }
}

customElements.define("tandem-inbox", TandemInbox);
