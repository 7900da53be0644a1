/**
 * Owns the demo page: who one is, the connection, and the frames as they arrive.
 *
 * State is fetched after a `hello` that did not resume; from then on frames alone change it. A button only sends a
 * request: this window learns what came of it as every other window does. A frame may come twice, so each says what
 * is, and none is counted.
 */

import { places, tokenOf } from "./api.js";
import { inboxOf } from "./inbox.js";
import { questionOfTheDay } from "./question.js";
import { PushSocket } from "./socket.js";

const USERS = ["alice", "bob"];
const FRAMES_MAX = 200;

const byId = (id) => document.getElementById(id);

function start(me) {
  const other = USERS.find((user) => user !== me);
  byId("me").textContent = me;
  byId("other").href = `?as=${other}`;
  byId("other-name").textContent = other;

  const parts = [
    questionOfTheDay(byId("today"), me, USERS),
    inboxOf(byId("inbox"), me, {
      onNews: (title) => (byId("news").textContent = `New in your inbox: ${title}`),
      onUnread: (count) => (document.title = `${count ? `(${count}) ` : ""}${me} · Tandem`),
    }),
  ];
  const socket = new PushSocket({
    url: places.push,
    getToken: (wish) => tokenOf(me, wish),
    onStatus: showStatus,
    onFrame(frame, text) {
      showFrame(text);
      const lost = frame.event === "resync" || (frame.event === "hello" && !frame.data.resumed);
      parts.forEach((part) => (lost ? part.refresh() : part.receive(frame)));
    },
  });
  socket.run();
}

function showStatus(status, why) {
  const word = status === "live" || (status === "reconnecting" && navigator.onLine) ? status : "offline";
  if (byId("status").textContent !== word) {
    byId("status").textContent = word; // is read out
  }
  byId("status").dataset.is = word;
  byId("why").textContent = byId("why").title = why;
}

function showFrame(text) {
  const list = byId("frames");
  const line = document.createElement("li");
  line.dataset.at = new Date().toLocaleTimeString();
  line.textContent = text;
  list.prepend(line);
  while (list.children.length > FRAMES_MAX) {
    list.lastElementChild.remove();
  }
}

const me = USERS.find((user) => user === new URLSearchParams(location.search).get("as"));
if (me) {
  start(me);
}
for (const element of document.querySelectorAll(me ? ".signed-in" : ".signed-out")) {
  element.hidden = false;
}
