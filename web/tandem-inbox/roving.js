/**
 * Owns the focus among the rows. The Tab key leads to one of them, so that a long list is passed in three steps; the
 * arrow keys lead on from there, from button to the same button.
 */

/** What is in the rows to be pressed. */
const BUTTONS = "button:not([hidden])";

export class Roving {
  #list;
  #current = /** @type {Element | null} */ (null);

  /** @param {HTMLElement} list whose children are the rows */
  constructor(list) {
    this.#list = list;
    list.addEventListener("focusin", ({ target }) => this.lead(rowAround(target)));
  }

  /** Whether the focus is in the list. */
  get isHere() {
    return this.#list.contains(focusedIn(this.#list));
  }

  /** Let the Tab key lead to a row: to this one, or to the first if it leads nowhere. @param {Element | null} [row] */
  lead(row = this.#current ?? this.#list.firstElementChild) {
    if (row && row !== this.#current) {
      this.#current?.querySelectorAll("button").forEach((each) => (each.tabIndex = -1));
      row.querySelectorAll("button").forEach((each) => (each.tabIndex = 0));
      this.#current = row;
    }
  }

  /** Go to where the Tab key leads; whether there is such a row. */
  focus() {
    focusOn(this.#current);
    return this.#current !== null;
  }

  /**
   * Go where an arrow key leads; whether it is one.
   * @param {string} key
   * @param {Element} row from here
   */
  follow(key, row) {
    const targets = new Map([
      ["ArrowDown", row.nextElementSibling],
      ["ArrowUp", row.previousElementSibling],
      ["Home", this.#list.firstElementChild],
      ["End", this.#list.lastElementChild],
    ]);
    focusOn(targets.get(key) ?? null, focusedIn(row)?.className);
    return targets.has(key);
  }

  /**
   * Take a row out of the list; a focus in it goes to its neighbour.
   * @param {Element} row
   */
  remove(row) {
    const neighbour = row.nextElementSibling ?? row.previousElementSibling;
    const focused = focusedIn(row);
    const had = row.contains(focused);
    if (row === this.#current) {
      this.lead(neighbour);
      this.#current = neighbour;
    }
    row.remove();
    if (had) {
      focusOn(neighbour, focused?.className);
    }
  }
}

/** @param {EventTarget | null} target */
export function rowAround(target) {
  return target instanceof Element ? target.closest("li") : null;
}

/**
 * @param {Element | null} row
 * @param {string} [name] of the button that is meant, if the row has it; otherwise its first
 * @param {FocusOptions} [options]
 */
export function focusOn(row, name, options) {
  const buttons = /** @type {HTMLElement[]} */ ([...(row?.querySelectorAll(BUTTONS) ?? [])]);
  (buttons.find(({ className }) => className === name) ?? buttons[0])?.focus(options);
}

/** @param {Element} inside */
function focusedIn(inside) {
  return /** @type {ShadowRoot} */ (inside.getRootNode()).activeElement ?? null;
}
