/** Owns making elements. Text stays text: nothing that arrives here can become HTML. */

const SVG = "http://www.w3.org/2000/svg";

/** What stands in a box of 24 by 24, drawn with a pen of 2. */
const ICONS = {
  bell: "M6 9a6 6 0 0 1 12 0c0 6 2.5 7 2.5 7h-17S6 15 6 9M10 20a2.2 2.2 0 0 0 4 0",
  bin: "M4 7h16M9 7V4.5h6V7M6.5 7l1 13h9l1-13M10.2 11v5.5M13.8 11v5.5",
  check: "M5 12.5l4.5 4.5L19 7.5",
  checks: "M2.5 12.5l4.5 4.5 9-9.5M12 16.5l.7.5 9-9.5",
  cloud: "M7 18.5h10a4 4 0 0 0 .6-7.95A6 6 0 0 0 6.2 9.6 4.5 4.5 0 0 0 7 18.5M4 4l16 16",
  cross: "M6.5 6.5l11 11M17.5 6.5l-11 11",
  inbox: "M4 19v-5.5l2.6-7.4A1.6 1.6 0 0 1 8.1 5h7.8a1.6 1.6 0 0 1 1.5 1.1L20 13.5V19zM4 13.5h4.5a3.5 3.5 0 0 0 7 0H20",
  pen: "M4.5 19.5l1-4.2L15.7 5.1a2.1 2.1 0 0 1 3 0l.2.2a2.1 2.1 0 0 1 0 3L8.7 18.5z",
  up: "M12 19V5.5M6 11l6-6 6 6",
};

/** @typedef {keyof typeof ICONS} Icon */

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string>} [attributes]
 * @param {...(Node | string)} children
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/**
 * A drawing, which only repeats what is said beside it.
 * @param {Icon} name
 */
export function icon(name) {
  const [drawing, path] = [document.createElementNS(SVG, "svg"), document.createElementNS(SVG, "path")];
  drawing.setAttribute("viewBox", "0 0 24 24");
  drawing.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[name]);
  drawing.append(path);
  return drawing;
}

/**
 * A button that does something on this page; its words are also its name where only the drawing is seen.
 * @param {string} name its class
 * @param {string} words
 * @param {Icon} [drawing]
 */
export function button(name, words, drawing) {
  const label = element("span", { class: "words" }, words);
  return element("button", { class: name, type: "button" }, ...(drawing ? [icon(drawing)] : []), label);
}

/**
 * Writes only if something else stands there: what is not touched is not laid out again, nor read out.
 * @param {Element} target
 * @param {string} text
 */
export function write(target, text) {
  if (target.textContent !== text) {
    target.textContent = text;
  }
}
