/**
 * Owns the state of an inbox without a screen: the truth, which is what the server has said, and on top of it actions
 * that it has not confirmed yet. What `reduce` does stands in contracts/vectors/README.md.
 *
 * @import * as Types from "./inbox.types.js"
 * @typedef {Types.Entry} Entry
 * @typedef {Types.Inbox} Inbox
 * @typedef {Types.State} State
 */

const RETRY_FIRST = 1000; // ms at most, doubled by each failure; a random part of it, so that not all come back at once
const RETRY_LONGEST = 30_000; // ms
const PAGE_MAX = 200; // items; the API's largest page
const NOT_NOW = [401, 408, 429]; // refusals that may have an end

/** What is known before anything was said. @type {() => Types.Truth} */
export const initial = () => ({
  now: 0,
  lost: 0,
  user: null,
  known: new Map(),
  windows: { all: null, unread: null },
  unread: 0,
  countedAt: -1,
  countedSeq: -1,
  suggestions: [],
  suggestedAt: -1,
  answered: new Map(),
});

/** The truth after a step; `truth` stays as it is. @type {(truth: Types.Truth, step: Types.Step) => Types.Truth} */
export function reduce(truth, { event, data, seq = data?.since < truth.countedAt ? -1 : Infinity }) {
  const next = event === "page" || event === "suggestions" ? truth : { ...truth, now: truth.now + 1 };
  return STEPS[event]?.(next, data, seq) ?? next;
}

/** The items of a list, newest first. @type {Types.ItemsOf} */
export function itemsOf({ known, windows }, filter) {
  const window = windows[filter] ?? windows.all; // which has a part of the other
  return [...known]
    .filter(([id, { item }]) => window && item && !isOlder(id, window.from) && (filter === "all" || !item.is_read))
    .sort(([one], [other]) => (isOlder(one, other) ? 1 : -1))
    .map(([, { item }]) => /** @type {Types.Item} */ (item));
}

/** The open questions, the latest first. @type {Types.SuggestionsOf} */
export function suggestionsOf({ suggestions, suggestedAt, answered }) {
  return suggestions.filter(({ id }) => !(Number(answered.get(id)) > suggestedAt));
}

/** By date. A suggestion begins its day; below the last item it waits while there are `more`. @type {Types.Merge} */
export function merge(items, suggestions, more) {
  const left = [...suggestions];
  const merged = items.flatMap((item) => {
    const newer = left.filter(({ date }) => date > item.created_at);
    return [...left.splice(0, newer.length), item];
  });
  return more ? merged : [...merged, ...left];
}

/** @type {Record<string, Types.Take>} */
const FRAMES = {
  hello: (truth, { user_id: user, resumed }) => ({ ...(resumed ? truth : missed(truth)), user }),
  resync: missed,
  "inbox:created": (truth, item, seq) => know(truth, item.id, item, seq, true),
  "inbox:updated": (truth, item, seq) => know(truth, item.id, item, seq),
  "inbox:deleted": (truth, { id }, seq) => know(truth, id, null, seq),
  "inbox:unread": (truth, { unread_count: unread }, seq) =>
    seq > truth.countedSeq ? { ...truth, unread, countedAt: truth.now, countedSeq: seq } : truth,
  "connection_answer:created": (truth, { answer, connection }) =>
    answer.author_id === truth.user
      ? { ...truth, answered: new Map(truth.answered).set(connection.id, truth.now) }
      : truth,
};

/** @type {Record<string, Types.Take>} */
const STEPS = {
  ...FRAMES,

  page(truth, { page, window, cursor, since }) {
    const above = cursor && truth.windows[window];
    if (since < truth.lost || (cursor && above?.cursor !== cursor)) {
      return truth;
    }
    const items = new Map();
    for (const item of page.items) {
      items.set(`${item.id}`, item);
    }
    const from = page.next_cursor && [...items.keys()].pop();
    const known = new Map(truth.known);
    for (const [id, { item, at }] of known) {
      if (at <= since && !items.has(id) && !isOlder(id, from) && (!above || isOlder(id, above.from))) {
        if (window === "all") {
          known.set(id, { item: null, at: since });
        } else if (weight(item)) {
          known.delete(id); // it was read, or deleted
        }
      }
    }
    for (const [id, item] of items) {
      const { item: old = item, at = since } = known.get(id) ?? {};
      if (at <= since || (old && version(old) < version(item))) {
        const isSame = JSON.stringify(old) === JSON.stringify(item);
        known.set(id, { item: isSame ? old : item, at: Math.max(since, at) });
      }
    }
    return {
      ...truth,
      known,
      windows: { ...truth.windows, [window]: { from, cursor: page.next_cursor } },
      ...(truth.countedAt <= since && { unread: page.unread_count, countedAt: since }),
    };
  },

  suggestions: (truth, { suggestions, since }) =>
    since < Math.max(truth.lost, truth.suggestedAt) ? truth : { ...truth, suggestions, suggestedAt: since },

  read(truth, { id: newest, through, since }, seq) {
    const known = new Map(truth.known);
    let unread = truth.unread;
    for (const [id, { item, at }] of known) {
      if (item && !item.is_read && at <= since && (id === newest || (through && isOlder(id, newest)))) {
        known.set(id, { item: asRead(item), at });
        unread--;
      }
    }
    const left = [...known.values()].filter(({ item }) => weight(item)).length;
    const count = through ? left : Math.max(0, unread);
    return { ...truth, known, unread: seq > truth.countedSeq ? count : truth.unread };
  },
};

/** There may be a new epoch, with new numbers. @type {(truth: Types.Truth) => Types.Truth} */
function missed(truth) {
  return { ...truth, lost: truth.now, countedSeq: -1 };
}

/** An item is like this, or deleted. @type {Types.Know} */
function know(truth, id, news, seq, isNew) {
  id = `${id}`;
  const fact = truth.known.get(id);
  const old = fact?.item;
  if (news && fact && (!old || version(news) < version(old))) {
    return truth;
  }
  const item = news && (old && version(news) === version(old) ? old : news);
  const before = fact ? old : isNew ? null : item; // of one never heard of nobody can tell
  const moved = seq > truth.countedSeq ? weight(item) - weight(before) : 0; // otherwise it was counted
  const known = new Map(truth.known).set(id, { item, at: truth.now });
  return { ...truth, known, unread: Math.max(0, truth.unread + moved) };
}

const readCopies = new WeakMap(); // so that each stays the same object

/** @type {(item: Types.Item) => Types.Item} */
function asRead(item) {
  const copy = readCopies.get(item) ?? { ...item, is_read: true };
  readCopies.set(item, copy);
  return copy;
}

/** @type {(item?: Types.Item | null) => number} */
const weight = (item) => (item && !item.is_read ? 1 : 0);

/** Sorts as the time does: ":07Z" is before ":07.5Z". @type {(item: Types.Item) => string} */
const version = (item) => item.updated_at.replace("Z", "");

/** Null is older than all. Of numbers the shorter one is the lesser. @type {Types.IsOlder} */
const isOlder = (id, other) => other !== null && (id.length === other.length ? id < other : id.length < other.length);

const entries = new WeakMap(); // of items and suggestions

/** @type {(subject: any) => Entry} */
function entryOf(subject) {
  const type = "question" in subject ? "suggestion" : "item";
  const entry = entries.get(subject) ?? { type, key: `${type} ${subject.id}`, [type]: subject };
  entries.set(subject, entry);
  return entry;
}

/** An inbox that follows `realtime`. @type {(options: Types.InboxOptions) => Inbox} */
export function createInbox({ api, realtime, pageSize = 50, undoFor = 6000 }) {
  let truth = { ...initial(), user: realtime.user };
  /** @type {Types.Filter} */
  let filter = "all";
  /** @type {Types.Action[]} */
  let actions = [];
  let line = Promise.resolve(); // of actions on their way to the server
  const asked = new Map(); // what is being fetched, and the request that counts: the last one
  const fresh = new Set(); // lists that were fetched since frames were missed
  let asOf = ""; // the day of the suggestions
  let isTelling = false;
  const sleepers = new Set();
  const listeners = { change: new Set(), news: new Set(), problem: new Set() };
  let state = view();

  /** @returns {State} */
  function view() {
    const shown = actions.reduce((so, action) => reduce(so, outcome(action, Infinity)), truth);
    const window = shown.windows[filter] ?? shown.windows.all;
    const hasMore = !!window?.cursor;
    const suggestions = window && filter === "all" ? suggestionsOf(shown) : [];
    return {
      entries: merge(itemsOf(shown, filter), suggestions, hasMore).map(entryOf),
      unread: shown.unread,
      filter,
      loading: !window,
      loadingMore: asked.has("more"),
      hasMore,
      status: realtime.status,
      waiting: actions.length - undoable().length,
      removed: undoable().map(({ removed }) => removed),
    };
  }

  function changed() {
    const next = kept(state, view());
    if (next !== state && !isTelling) {
      isTelling = true;
      queueMicrotask(() => {
        isTelling = false;
        emit("change");
      });
    }
    state = next;
  }

  /** @type {Types.Emit} */
  function emit(name, event) {
    for (const listener of listeners[name]) {
      try {
        listener(event);
      } catch (error) {
        console.error(error);
      }
    }
  }

  /** @param {Types.Step} step */
  function apply(step) {
    truth = reduce(truth, step);
    changed();
  }

  /** Try until there is an answer, or a refusal, which is thrown. @type {Types.Insist} */
  async function insist(call, isWanted) {
    for (let longest = RETRY_FIRST; isWanted(); longest = Math.min(2 * longest, RETRY_LONGEST)) {
      try {
        return await call();
      } catch (/** @type {any} */ error) {
        const { status, retryAfter } = error;
        if (status >= 400 && status < 500 && !NOT_NOW.includes(status)) {
          throw error;
        }
        await new Promise((wake) => {
          setTimeout(wake, retryAfter ?? Math.random() * longest);
          sleepers.add(retryAfter ? null : wake);
        });
      }
    }
  }

  /** @type {Types.Ask} */
  async function ask(name, event, call) {
    const since = truth.now;
    const isWanted = () => asked.get(name) === call;
    asked.set(name, call);
    changed();
    try {
      const data = await insist(call, isWanted);
      if (isWanted()) {
        apply({ event, data: { ...data, since } });
      }
    } catch (/** @type {any} */ { message }) {
      emit("problem", { message, action: "fetch", id: null });
    }
    if (isWanted()) {
      asked.delete(name);
      changed();
    }
  }

  /** @type {Types.FetchItems} */
  function fetchItems(name, cursor, wanted) {
    const window = filter;
    ask(name, "page", async () => {
      const items = [];
      let next = cursor;
      let page;
      do {
        page = await api.items({ cursor: next, limit: Math.min(wanted, PAGE_MAX), unread: window === "unread" });
        items.push(...page.items);
        next = page.next_cursor;
      } while (next && items.length < wanted);
      return { page: { ...page, items }, window, cursor };
    });
  }

  /** As much of it as there was. */
  function fetchList() {
    fresh.add(filter);
    asked.delete("more");
    fetchItems(filter, null, Math.max(pageSize, truth.windows[filter] ? itemsOf(truth, filter).length : 0));
  }

  function fetchSuggestions() {
    asOf = today();
    ask("suggestions", "suggestions", async () => ({ suggestions: (await api.suggestions()).items }));
  }

  function refresh() {
    fresh.clear();
    fetchList();
    fetchSuggestions();
  }

  function undoable() {
    return actions.filter(({ isDue }) => !isDue);
  }

  /** @type {Types.Act} */
  function act(kind, id) {
    id = `${id}`;
    const action = { kind, id, removed: { id, title: truth.known.get(id)?.item?.title ?? "" }, isDue: false };
    actions.push(action);
    return action;
  }

  /** @type {Types.Settle} */
  function queue(action) {
    action.isDue = true;
    line = line.then(() => send(action));
    changed();
  }

  /** @type {Types.Settle} */
  function startTimer(action) {
    action.timer = setTimeout(queue, undoFor, action);
    changed();
  }

  /** @type {Types.Send} */
  async function send(action, keepalive = false) {
    const { kind, id } = action;
    const isPending = () => actions.includes(action);
    const since = truth.now;
    try {
      await insist(() => api[kind](id, { keepalive }), isPending);
      settle(action, outcome(action, since));
    } catch (/** @type {any} */ { status, message }) {
      if (status === 404 && kind !== "markAllRead") {
        settle(action, { event: "inbox:deleted", data: { id, since } });
      } else if (isPending()) {
        settle(action);
        emit("problem", { message, action: kind, id });
      }
    }
  }

  /** Done, or without a step: taken back. @type {Types.Settle} */
  function settle(action, step) {
    if (actions.includes(action)) {
      clearTimeout(action.timer);
      actions = actions.filter((other) => other !== action);
      truth = step ? reduce(truth, step) : truth;
      changed();
    }
  }

  /** The page may be gone in a moment. */
  function leave() {
    for (const action of actions) {
      clearTimeout(action.timer);
      action.isDue = true;
      send(action, true);
    }
    changed();
  }

  function look() {
    if (!document.hidden && asOf !== today()) {
      fetchSuggestions();
    }
  }

  function follow() {
    changed();
    if (realtime.status === "live") {
      sleepers.forEach((wake) => wake?.());
      sleepers.clear();
    } else if (realtime.status !== "connecting" && !fresh.size) {
      refresh(); // it may take long until there is a connection
    }
  }

  const stops = [
    ...Object.keys(FRAMES).map((event) =>
      realtime.on(event, (data, frame) => {
        const isNews = event === "inbox:created" && !data.is_read && !truth.known.has(`${data.id}`);
        apply({ event, data, seq: frame?.seq });
        if (isNews) {
          emit("news", { item: data });
        }
      }),
    ),
    ...["connection_answer:created", "connection_partnership:created", "connection_partnership:ended"].map((event) =>
      realtime.on(event, fetchSuggestions),
    ),
    realtime.on("resync", refresh),
    realtime.on("status", follow),
  ];
  addEventListener("pagehide", leave);
  document.addEventListener("visibilitychange", look);
  if (realtime.status !== "connecting") {
    refresh();
  }

  /** @type {Inbox} */
  const inbox = {
    get state() {
      return state;
    },
    subscribe: (listener) => inbox.on("change", listener),
    on(name, listener) {
      listeners[name].add(listener);
      return () => void listeners[name].delete(listener);
    },
    markRead: (id) => queue(act("markRead", id)),
    markAllRead() {
      const [newest] = itemsOf(truth, filter);
      if (newest) {
        queue(act("markAllRead", newest.id));
      }
    },
    remove: (id) => startTimer(act("remove", id)),
    undo: (id) => undoable().forEach((action) => action.id === `${id}` && settle(action)),
    hold(on) {
      for (const action of undoable()) {
        clearTimeout(action.timer);
        if (!on) {
          startTimer(action);
        }
      }
    },
    more() {
      const cursor = truth.windows[filter]?.cursor;
      if (cursor && !asked.has("more")) {
        fetchItems("more", cursor, pageSize);
      }
    },
    setFilter(wanted) {
      filter = wanted;
      asked.delete("more");
      changed();
      if (!fresh.has(filter)) {
        fetchList();
      }
    },
    refresh,
    close() {
      leave();
      asked.clear();
      stops.forEach((stop) => stop());
      removeEventListener("pagehide", leave);
      document.removeEventListener("visibilitychange", look);
    },
  };
  return inbox;
}

const today = () => new Date().toDateString();

/** What comes of an action that is done. @type {Types.Outcome} */
function outcome({ kind, id }, since) {
  return kind === "remove"
    ? { event: "inbox:deleted", data: { id, since } }
    : { event: "read", data: { id, through: kind === "markAllRead", since } };
}

/** What is the same stays the same. @type {Types.Kept} */
function kept(before, next) {
  for (const list of /** @type {const} */ (["entries", "removed"])) {
    const [old, now] = [before[list], Object.freeze(next[list])];
    next[list] = old.length === now.length && old.every((each, index) => each === now[index]) ? old : now;
  }
  return Object.entries(before).every(([key, value]) => value === next[key]) ? before : Object.freeze(next);
}
