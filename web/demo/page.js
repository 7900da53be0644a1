/**
 * Owns the demo page: puts its parts together for whoever sits here.
 *
 * The inbox and the connection are the library's. What is the page's own is in this folder: the question, the panel of
 * frames, and the buttons that make trouble and then judge by what the server says.
 */

import { createApi } from "../api.js";
import { createInbox } from "../inbox.js";
import { createRealtime } from "../realtime.js";
import "../tandem-inbox.js";
import { byId } from "./dom.js";
import { createFrames } from "./frames.js";
import { places, tokenOf, whoIsHere } from "./people.js";
import { createQuestion } from "./question.js";
import { createTrouble, flood } from "./trouble.js";
import { createWire } from "./wire.js";
import { createWitness } from "./witness.js";
import { language, speak, translate } from "./words.js";

const THEME = "tandem-demo theme"; // in localStorage

/** In seconds; the address may say otherwise, `?sleep=3`, so that tests need not wait. */
const DURATIONS = {
  sleep: 60,
  restart: 5, // that the gateway is down
  undo: 6, // in which a deletion can be undone
  patience: 30, // for the page to be whole; the longest pause of the library
};

/** @param {{me: string, partner: string}} people */
function start({ me, partner }) {
  const durations = durationsAsked();
  const getToken = (/** @type {{fresh: boolean}} */ wish) => tokenOf(me, wish);
  const wire = createWire(me, flood);
  const realtime = createRealtime({ url: places.push, getToken, WebSocket: wire.WebSocket });
  const api = createApi({ connectionUrl: places.connection, getToken });
  const inbox = createInbox({ api, realtime, undoFor: durations.undo * 1000 });
  const question = createQuestion(realtime, { me, partner });
  const frames = createFrames(realtime, wire);
  const witness = createWitness(realtime, inbox, me);
  createTrouble(wire, witness, me, durations);

  const element = /** @type {import("../tandem-inbox.js").TandemInbox} */ (document.querySelector("tandem-inbox"));
  element.lang = language();
  element.inbox = inbox;
  element.addEventListener("tandem-open", (event) => {
    const entry = /** @type {CustomEvent<import("../inbox.js").Entry>} */ (event).detail;
    if (entry.type === "suggestion") {
      question.open(entry.suggestion);
    }
  });
  inbox.subscribe(() => (document.title = `${inbox.state.unread ? `(${inbox.state.unread}) ` : ""}${me} · Tandem`));

  introduce(me, partner, durations);
  byId("language").addEventListener("change", () => {
    element.lang = language();
    question.show();
    frames.label();
  });
  frames.label();

  byId("sign-out").addEventListener("click", () => realtime.signOut());
  realtime.on("status", ({ status }) => status === "closed" && location.assign("/")); // in all tabs
}

/**
 * Write who is who, and what the buttons do.
 *
 * @param {string} me
 * @param {string} partner
 * @param {typeof DURATIONS} durations
 */
function introduce(me, partner, durations) {
  byId("me").dataset.name = me;
  byId("avatar").textContent = me[0].toUpperCase();
  byId("other").dataset.name = partner;
  const other = /** @type {HTMLAnchorElement} */ (byId("other-link"));
  other.href = `?${new URLSearchParams({ as: partner, with: me })}`;
  for (const [name, seconds] of Object.entries(durations)) {
    document.querySelectorAll(`[data-trouble="${name}"] [data-say]`).forEach((words) => {
      /** @type {HTMLElement} */ (words).dataset.seconds = String(seconds);
    });
  }
  byId("restart").hidden = places.control === "";
}

function durationsAsked() {
  const address = new URLSearchParams(location.search);
  const asked = Object.entries(DURATIONS).map(([name, usual]) => [name, Number(address.get(name) ?? usual)]);
  return /** @type {typeof DURATIONS} */ (Object.fromEntries(asked));
}

/** What can be chosen whether one is signed in or not. */
function offerChoices() {
  const [languages, themes] = ["language", "theme"].map((id) => /** @type {HTMLSelectElement} */ (byId(id)));
  const paint = () => {
    document.documentElement.dataset.theme = themes.value;
    document.querySelector("tandem-inbox")?.setAttribute("theme", themes.value);
  };
  languages.value = language();
  languages.addEventListener("change", () => speak(languages.value));
  themes.value = localStorage.getItem(THEME) ?? "";
  themes.addEventListener("change", () => {
    localStorage.setItem(THEME, themes.value);
    paint();
  });
  paint();
}

const people = whoIsHere();
offerChoices();
if (people) {
  start(people);
}
translate();
for (const element of document.querySelectorAll(people ? ".signed-in" : ".signed-out")) {
  /** @type {HTMLElement} */ (element).hidden = false;
}
