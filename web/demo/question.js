/** Owns the question: today's, or an older one that is still open; the form, and both answers as they come. */

import { attempt, byId, made, within } from "./dom.js";
import { call, ensurePartners, places } from "./people.js";
import { language, say } from "./words.js";

/**
 * @import { Suggestion } from "../api.js"
 * @typedef {{author_id: string, text: string}} Answer
 */

const RETRY = 2000; // ms until a question that could not be fetched is asked for again

/**
 * Shows the question in its section of the page, for two people who become partners if they are none.
 *
 * @param {import("../realtime.js").Realtime} realtime
 * @param {{me: string, partner: string}} people
 */
export function createQuestion(realtime, { me, partner }) {
  const section = byId("question");
  const form = /** @type {HTMLFormElement} */ (within(section, "form"));
  const text = /** @type {HTMLTextAreaElement} */ (within(form, "textarea"));
  const title = within(section, "h2");
  const back = within(section, ".back");
  /** @type {Map<string, Map<string, string>>} */
  const answers = new Map(); // their text by author, by question: they are never changed, so each can be added twice
  /** @type {string[]} */
  let members = [];
  /** @type {Suggestion | null} */
  let today = null;
  /** @type {Suggestion | null} */
  let shown = null;

  /** @param {Suggestion} question @param {Answer[]} given */
  function learn(question, given) {
    const known = answers.get(question.id) ?? new Map();
    given.forEach(({ author_id, text }) => known.set(author_id, text));
    answers.set(question.id, known);
    if (!today || question.date >= today.date) {
      shown = shown === today ? question : shown;
      today = question;
    }
    show();
  }

  function show() {
    if (!shown) {
      return;
    }
    const { id, date, question } = shown;
    const isToday = id === today?.id;
    const known = answers.get(id) ?? new Map();
    title.textContent = say(isToday ? "question" : "earlier");
    within(section, "time").textContent = new Date(date).toLocaleDateString(language(), {
      dateStyle: "long",
      timeZone: "UTC",
    });
    within(section, ".asked").textContent = question;
    const others = members.filter((author) => author !== me);
    const authors = known.has(me) ? [...others, me] : others; // one's own is still in the form
    within(section, "dl").replaceChildren(...authors.map((author) => answer(author, known.get(author))));
    back.hidden = isToday;
    if (known.has(me) && form.contains(document.activeElement)) {
      title.focus();
    }
    form.hidden = known.has(me);
  }

  /** @param {string} author @param {string | undefined} text */
  function answer(author, text) {
    const name = author === me ? say("you", { name: me }) : author;
    const kind = text === undefined ? "missing" : author === me ? "mine" : "";
    return made("div", kind, made("dt", "", name), made("dd", "", text ?? say("noAnswer")));
  }

  async function fetch() {
    members = await ensurePartners(me, partner);
    const latest = await call(me, "GET", `${places.connection}/v1/daily-connections/today`);
    learn(latest, latest.answers);
  }

  async function refresh() {
    while (!(await attempt(section, fetch))) {
      await new Promise((resolve) => setTimeout(resolve, RETRY));
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const question = shown;
    attempt(form, async () => {
      if (question) {
        const url = `${places.connection}/v1/daily-connections/${question.id}/answers`;
        const given = await call(me, "POST", url, { body: { text: text.value } });
        form.reset();
        learn(question, [given]);
      }
    });
  });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      form.requestSubmit();
    }
  });
  back.addEventListener("click", () => {
    shown = today;
    show();
    title.focus();
  });
  realtime.on("resync", () => void refresh());
  realtime.on("connection_answer:created", ({ connection, answer }) => {
    learn(connection, [...connection.answers, answer]);
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible" && today) {
      void refresh(); // it may be another day
    }
  });

  return {
    show,

    /** Lead somebody to a question who wants to answer it. @param {Suggestion} question */
    open(question) {
      shown = question.id === today?.id ? today : question;
      learn(question, question.answers);
      section.scrollIntoView({ block: "nearest" });
      (form.hidden ? title : text).focus({ preventScroll: true });
    },
  };
}
