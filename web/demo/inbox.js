/** Owns the inbox: the newest items, and how many of all are unread. */

import { call } from "./api.js";
import { attempt, hide, LiveState } from "./live.js";

const ITEMS = "/v1/inbox/items";
const ITEMS_MAX = 200; // the largest page of the API

const shortTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** The state of `section` as `me` sees it. `onNews` is told of items that arrive, `onUnread` how many are unread. */
export function inboxOf(section, me, { onNews, onUnread }) {
  const title = section.querySelector("h2");
  const list = section.querySelector("ol");
  const readAll = section.querySelector(".read-all");
  const [empty, more] = [section.querySelector(".empty"), section.querySelector(".more")];

  function show(item) {
    const row = document.getElementById(item.id) ?? newRow(item.id);
    row.querySelector("h3").textContent = item.title;
    row.querySelector("p").textContent = item.body;
    row.querySelector("time").textContent = shortTime.format(new Date(item.created_at));
    row.classList.toggle("unread", !item.is_read);
    hide(row.querySelector(".read"), item.is_read, row);
  }

  /** An empty row where the item belongs: ids sort by time. */
  function newRow(id) {
    const row = document.getElementById("item").content.firstElementChild.cloneNode(true);
    row.id = id;
    list.insertBefore(row, [...list.children].find((other) => other.id < id) ?? null);
    empty.hidden = true;
    return row;
  }

  function remove(id) {
    const row = document.getElementById(id);
    if (row?.contains(document.activeElement)) {
      (row.nextElementSibling ?? row.previousElementSibling ?? title).focus();
    }
    row?.remove();
    empty.hidden = list.children.length > 0;
  }

  function showUnread(count) {
    section.querySelector(".badge").textContent = count ? `${count} unread` : "";
    hide(readAll, count === 0, title);
    onUnread(count);
  }

  list.addEventListener("click", ({ target }) => {
    const row = target.closest("li");
    if (target.matches(".read")) {
      attempt(row, () => call(me, "POST", `${ITEMS}/${row.id}/read`));
    } else if (target.matches(".delete")) {
      attempt(row, () => call(me, "DELETE", `${ITEMS}/${row.id}`));
    }
  });
  readAll.addEventListener("click", () => {
    const through = list.firstElementChild?.id; // what arrives from now on stays unread
    attempt(readAll, () => call(me, "POST", `${ITEMS}/read-all`, { through }));
  });

  const state = new LiveState(section, {
    async fetch() {
      const page = await call(me, "GET", `${ITEMS}?limit=${ITEMS_MAX}`);
      const present = new Set(page.items.map(({ id }) => id));
      [...list.children].filter(({ id }) => !present.has(id)).forEach(({ id }) => remove(id));
      page.items.forEach(show);
      showUnread(page.unread_count);
      empty.hidden = page.items.length > 0;
      more.hidden = page.next_cursor === null;
    },
    apply({ event, data }) {
      switch (event) {
        case "inbox:created":
          show(data);
          onNews(data.title);
          break;
        case "inbox:updated":
          if (document.getElementById(data.id)) {
            show(data); // otherwise it is older than what this page shows, or was deleted
          }
          break;
        case "inbox:deleted":
          remove(data.id);
          if (list.children.length === 0 && !more.hidden) {
            state.refresh();
          }
          break;
        case "inbox:unread":
          showUnread(data.unread_count);
      }
    },
  });
  return state;
}
