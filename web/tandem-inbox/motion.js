/** Owns what moves, so that one sees what has become of things; it is all left out for those who asked for calm. */

const NEIGHBOURS = 12; // rows that slide up when one goes; what is below them is seldom on the screen
const SLIDE = { duration: 260, easing: "cubic-bezier(.2, .8, .2, 1)" }; // ms; long enough to be seen, and no longer
const RISE = { duration: 200, easing: "ease-out" }; // ms

/** ms after which whatever slides has arrived. */
export const ARRIVED = SLIDE.duration;

/** Whether things may move: somebody may have asked their system for calm. */
export function mayMove() {
  return !matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/**
 * New rows come to light above the others, which give way.
 * @param {Element} list
 * @param {Element[]} rows
 * @param {number} by how far the others were pushed down, in px
 */
export function slideIn(list, rows, by) {
  if (mayMove()) {
    list.animate([{ transform: `translateY(${-by}px)` }, { transform: "none" }], SLIDE);
    rows.forEach((row) => row.animate([{ opacity: 0 }, { opacity: 1 }], SLIDE));
  }
}

/**
 * The rows below one that goes close the gap.
 * @param {Element} row
 * @param {() => void} remove
 */
export function closeGap(row, remove) {
  const below = mayMove() ? rowsBelow(row) : [];
  const before = below.map(placeOf);
  remove();
  below.forEach((each, index) => {
    const by = before[index] - placeOf(each);
    each.animate([{ transform: `translateY(${by}px)` }, { transform: "none" }], SLIDE);
  });
}

/** @param {Element} note */
export function rise(note) {
  if (mayMove()) {
    note.animate([{ transform: "translateY(60%)", opacity: 0 }, { transform: "none", opacity: 1 }], RISE);
  }
}

/**
 * How far down on the screen it begins, in px.
 * @param {Element} row
 */
export function placeOf(row) {
  return row.getBoundingClientRect().top;
}

/** @param {Element} row */
function rowsBelow(row) {
  const rows = [];
  for (let next = row.nextElementSibling; next && rows.length < NEIGHBOURS; next = next.nextElementSibling) {
    rows.push(next);
  }
  return rows;
}
