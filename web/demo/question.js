/** Owns the question of the day: the form, and both answers as they come. */

import { call, CONNECTION, ensurePartnership } from "./api.js";
import { attempt, hide, LiveState } from "./live.js";

/** The state of `section` as `me` sees it; `users` are made partners if `me` has none. */
export function questionOfTheDay(section, me, users) {
  const form = section.querySelector("form");
  const answers = new Map(); // the text by author
  let members = [];
  let connection = { date: "" };

  function show(latest, given) {
    if (latest.id !== connection.id) {
      answers.clear();
      connection = latest;
    }
    for (const { author_id, text } of given) {
      answers.set(author_id, text);
    }
    section.querySelector("time").textContent = connection.date;
    section.querySelector(".question").textContent = connection.question;
    section.querySelector("dl").replaceChildren(...members.map(answerOf));
    hide(form, answers.has(me), section.querySelector("h2"));
  }

  function answerOf(author) {
    const [group, name, text] = ["div", "dt", "dd"].map((tag) => document.createElement(tag));
    name.textContent = author === me ? `${author} (you)` : author;
    text.textContent = answers.get(author) ?? "No answer yet";
    text.classList.toggle("missing", !answers.has(author));
    group.append(name, text);
    return group;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(form, async () => {
      const answer = { text: form.elements.text.value };
      await call(me, "POST", `${CONNECTION}/daily-connections/${connection.id}/answers`, answer);
      form.reset();
    });
  });

  return new LiveState(section, {
    async fetch() {
      ({ members } = await ensurePartnership(me, users));
      const latest = await call(me, "GET", `${CONNECTION}/daily-connections/today`);
      show(latest, latest.answers);
    },
    apply({ event, data }) {
      if (event !== "connection_answer:created") {
        return;
      }
      if (data.connection.id === connection.id || data.connection.date > connection.date) {
        show(data.connection, [...data.connection.answers, data.answer]);
      }
    },
  });
}
