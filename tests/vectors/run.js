/** Owns the way from a vector's steps (contracts/vectors/README.md) to the reducer of inbox.js, and back. */

import { initial, itemsOf, merge, reduce, suggestionsOf } from "/web/inbox.js";

/** What is known after `steps`, as the `state` of a vector has it. */
export function reduced(steps) {
  const places = new Map();
  let truth = initial();
  for (const step of steps) {
    if (step.request) {
      places.set(step.request, truth.now);
    } else {
      truth = reduce(truth, frozen(stepOf(step, places.get(step.answer))));
    }
  }
  const [all, unread] = ["all", "unread"].map((list) => {
    const window = truth.windows[list];
    const items = itemsOf(truth, list).map((item) => ({ ...item, id: String(item.id) }));
    return window && { items, more: window.cursor };
  });
  const suggestions = suggestionsOf(truth);
  const entries = all ? merge(all.items, suggestions, all.more !== null) : [];
  return {
    all,
    unread,
    unread_count: truth.unread,
    suggestions: suggestions.map(({ id }) => String(id)),
    entries: entries.map((entry) => `${"question" in entry ? "suggestion" : "item"} ${entry.id}`),
  };
}

function stepOf({ frame, page, list, cursor, suggestions, read, read_through, deleted }, since) {
  if (frame) {
    return frame;
  }
  if (page) {
    return { event: "page", data: { page, window: list, cursor, since } };
  }
  if (suggestions) {
    return { event: "suggestions", data: { suggestions, since } };
  }
  return deleted
    ? { event: "inbox:deleted", data: { id: deleted, since } }
    : { event: "read", data: { id: read ?? read_through, through: read === undefined, since } };
}

/** A reducer that changes what it is given fails here. */
function frozen(value) {
  if (typeof value === "object" && value !== null) {
    Object.values(value).forEach(frozen);
    Object.freeze(value);
  }
  return value;
}
