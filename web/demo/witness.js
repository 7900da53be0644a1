/** Owns what was seen: which events came and how often, and whether the screen says what the server says. */

import { call, places } from "./people.js";

const EVENTS = [
  "connection_answer:created",
  "connection_partnership:created",
  "connection_partnership:ended",
  "inbox:created",
  "inbox:updated",
  "inbox:deleted",
  "inbox:unread",
];
const LOOK_AGAIN = 100; // ms between two comparisons: two requests each
const ITEMS_MAX = 200; // the largest page of the API

/**
 * Watches one connection and one inbox from now on.
 *
 * @param {import("../realtime.js").Realtime} realtime
 * @param {import("../inbox.js").Inbox} inbox
 * @param {string} user
 */
export function createWitness(realtime, inbox, user) {
  /** @type {Set<string>} */
  const came = new Set(); // ids of events whose frame has come
  /** @type {Set<string>} */
  const surfaced = new Set(); // ids of events that listeners were told
  const counted = { again: 0, twice: 0 };

  realtime.on("frame", (_, { id }) => (counted.again += id !== undefined && !isNew(came, id) ? 1 : 0));
  for (const name of EVENTS) {
    realtime.on(name, (_, { id = "" }) => (counted.twice += isNew(surfaced, id) ? 0 : 1));
  }

  /** How many entries are not on the screen as the server has them, or are there twice; a wrong badge is one too. */
  async function differences() {
    const [page, open] = await Promise.all([
      call(user, "GET", `/v1/inbox/items?limit=${ITEMS_MAX}`),
      call(user, "GET", `${places.connection}/v1/suggestions?limit=${ITEMS_MAX}`),
    ]);
    const { entries, unread, hasMore, removed } = inbox.state;
    const hidden = new Set(removed.map(({ id }) => String(id)));
    const shown = entries.flatMap((entry) => (entry.type === "item" ? [entry.item] : []));
    const end = [hasMore && shown.at(-1)?.id, page.next_cursor && page.items.at(-1).id]; // neither may show all
    const seen = ({ id = "" }) => end.every((bound) => !bound || id >= bound);
    const screen = shown.filter(seen).map(fingerprint);
    const server = page.items.filter(seen).filter(({ id = "" }) => !hidden.has(id)).map(fingerprint);
    const questions = entries.flatMap((entry) => (entry.type === "suggestion" ? [entry.suggestion.id] : []));
    const oldest = hasMore ? shown.at(-1)?.created_at ?? "" : ""; // questions stand among the items, by date
    const reached = ({ date = "" }) => date > oldest;
    const asked = open.items.filter(reached).map(({ id = "" }) => id);
    const badge = hidden.size === 0 && unread !== page.unread_count ? 1 : 0;
    return unlike(screen, server) + unlike(questions, asked) + badge;
  }

  return {
    /** `again`: frames that came again, `twice`: events that listeners were told again; both since the beginning. */
    get counted() {
      return { ...counted };
    },

    differences,

    /**
     * Wait until nothing differs: how many differences are left.
     *
     * @param {number} patience ms
     */
    async whole(patience) {
      const end = performance.now() + patience;
      for (;;) {
        const left = await differences();
        if (left === 0 || performance.now() > end) {
          return left;
        }
        await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN));
      }
    },
  };
}

/** @typedef {ReturnType<typeof createWitness>} Witness */

/** @param {Set<string>} ids @param {string} id */
function isNew(ids, id) {
  return ids.size < ids.add(id).size;
}

/** @param {import("../api.js").Item} item */
function fingerprint({ id, is_read, title, body }) {
  return JSON.stringify([id, is_read, title, body]);
}

/**
 * How many strings are in one list more often than in the other.
 *
 * @param {string[]} some
 * @param {string[]} others
 */
function unlike(some, others) {
  const count = new Map();
  some.forEach((text) => count.set(text, (count.get(text) ?? 0) + 1));
  others.forEach((text) => count.set(text, (count.get(text) ?? 0) - 1));
  return [...count.values()].reduce((sum, surplus) => sum + Math.abs(surplus), 0);
}
