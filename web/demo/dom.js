/** Owns finding and making elements, and what the parts of the page have in common: actions that may fail. */

import { CallFailed } from "./people.js";

/** @param {string} id */
export function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/**
 * The one element within `parent` that matches.
 *
 * @template {HTMLElement} [T=HTMLElement]
 * @param {ParentNode} parent
 * @param {string} selector
 */
export function within(parent, selector) {
  return /** @type {T} */ (parent.querySelector(selector));
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} [className]
 * @param {...(Node | string)} children
 */
export function made(tag, className = "", ...children) {
  const element = document.createElement(tag);
  element.className = className;
  element.append(...children);
  return element;
}

/**
 * Do what `element` stands for, unless that is under way. A failure is shown in its section. True if it was done.
 *
 * @param {HTMLElement} element
 * @param {() => Promise<unknown>} action
 */
export async function attempt(element, action) {
  if (element.ariaBusy === "true") {
    return false;
  }
  const problem = within(/** @type {HTMLElement} */ (element.closest("section")), ".problem");
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
