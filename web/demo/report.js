/** Owns how a report looks: what was missed and repeated, and how soon the page was whole again. */

import { made } from "./dom.js";
import { say, seconds } from "./words.js";

/**
 * @param {string} name of the trouble
 * @param {string} title
 * @param {{missed: number, repeated: number, dropped: number, attempts: number, code?: number}} facts
 * @param {{broken: number, after: number}} times seconds that it was broken, and that the page then took to be whole
 */
export function reportOf(name, title, facts, { broken, after }) {
  const isWhole = facts.missed === 0;
  const verdict = say(isWhole ? "wholeAgain" : "notWhole", { seconds: seconds(after) });
  const list = made("dl");
  for (const [key, number] of Object.entries(facts)) {
    const value = made("dd", "", String(number));
    value.dataset.fact = key;
    list.append(made("div", "", made("dt", "", say(/** @type {any} */ (key))), value));
  }
  const good = isWhole && facts.repeated === 0;
  const report = made("li", good ? "report" : "report bad", made("h3", "", title), made("p", "verdict", verdict), list);
  Object.assign(report.dataset, { trouble: name, broken: broken.toFixed(2), after: after.toFixed(2) });
  return report;
}
