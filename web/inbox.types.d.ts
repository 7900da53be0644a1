/** Owns the types of inbox.js: what it offers, and what its reducer speaks of. No browser has to load them. */

import type { Api, Item, Page, Suggestion } from "./api.js";

export type { Api, Item, Page, Suggestion };

export type Filter = "all" | "unread";

export type Entry =
  | { readonly type: "item"; readonly key: string; readonly item: Item }
  | { readonly type: "suggestion"; readonly key: string; readonly suggestion: Suggestion };

/** A frozen snapshot: a new object at each change, in which what did not change is the very same as before. */
export interface State {
  /** Newest first, as the filter says. Suggestions are in "all" only. */
  readonly entries: readonly Entry[];
  /** What the badge shows. */
  readonly unread: number;
  readonly filter: Filter;
  /** Nothing is there yet. */
  readonly loading: boolean;
  readonly loadingMore: boolean;
  /** There are older items; `more()` fetches some. */
  readonly hasMore: boolean;
  /** As realtime.js has it. */
  readonly status: string;
  /** Actions on their way to the server, or held back until it can be reached. */
  readonly waiting: number;
  /** What is removed on screen and can still be undone. */
  readonly removed: readonly { readonly id: string; readonly title: string }[];
}

/** An action was taken back, or a list cannot be had ("fetch"). The message is fit to be shown. */
export interface Problem {
  readonly message: string;
  readonly action: ActionKind | "fetch";
  readonly id: string | null;
}

export interface Events {
  /** The state is another one; at most once in a turn of the event loop. */
  change: void;
  /** An item has just arrived, unread. */
  news: { readonly item: Item };
  problem: Problem;
}

/** Every action shows at once, and is taken back if the server refuses it. */
export interface Inbox {
  readonly state: State;
  /** Be told of each change; returns what ends it. Needs no `this`, like everything here. */
  subscribe(listener: () => void): () => void;
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void;
  markRead(id: string): void;
  /** Everything up to the newest item on screen; what arrives meanwhile stays unread. */
  markAllRead(): void;
  /** Sent as soon as it cannot be undone any longer, at the latest when the page is left. */
  remove(id: string): void;
  undo(id: string): void;
  /** While `on`, the time in which removals can be undone does not run out; afterwards it begins anew. */
  hold(on: boolean): void;
  /** Fetch older items. Does nothing while it is under way, or if there are none. */
  more(): void;
  setFilter(filter: Filter): void;
  /** Fetch everything anew. */
  refresh(): void;
  /** This inbox is done; what could still be undone is sent. */
  close(): void;
}

export interface InboxOptions {
  api: Pick<Api, "items" | "markRead" | "markAllRead" | "remove" | "suggestions">;
  realtime: Realtime;
  /** Items. */
  pageSize?: number;
  /** Ms in which a removal can be undone. */
  undoFor?: number;
}

/** What an inbox needs of realtime.js. */
export interface Realtime {
  on(name: any, listener: (data: any, frame: any) => void): () => void;
  readonly status: string;
  readonly user: string | null;
}

export type ActionKind = "markRead" | "markAllRead" | "remove";

export interface Action {
  readonly kind: ActionKind;
  /** Of the item; of `markAllRead` that of the newest. */
  readonly id: string;
  readonly removed: State["removed"][number];
  /** It cannot be undone any longer. */
  isDue: boolean;
  timer?: ReturnType<typeof setTimeout>;
}

/**
 * What the server has said. `now`, `at`, `lost` and `since` are places in what was heard, counted here; `seq` is the
 * gateway's. See contracts/vectors/README.md.
 */
export interface Truth {
  readonly now: number;
  /** Where frames were missed for the last time: an answer to what was asked before is worth nothing. */
  readonly lost: number;
  readonly user: string | null;
  readonly known: ReadonlyMap<string, Fact>;
  readonly windows: Readonly<Record<string, Window | null>>;
  /** How many items are unread. */
  readonly unread: number;
  /** Where, and by which frame, they were counted. */
  readonly countedAt: number;
  readonly countedSeq: number;
  /** The open questions, as they were at `suggestedAt`. */
  readonly suggestions: readonly Suggestion[];
  readonly suggestedAt: number;
  /** Where this person answered a question, by its id. */
  readonly answered: ReadonlyMap<string, number>;
}

/** What an item is like as of `at`; null: it was deleted. */
export interface Fact {
  readonly item: Item | null;
  readonly at: number;
}

/** A list that is known without gaps, down to the item `from`, or to the end; `cursor` asks for what is below. */
export interface Window {
  readonly from: string | null;
  readonly cursor: string | null;
}

/**
 * What the server has said, or done: a frame; or
 *
 * - `page`, with data `{page: Page, window: Filter, cursor: string | null, since}`
 * - `suggestions`, with data `{suggestions: Suggestion[], since}`
 * - `read`, with data `{id, through: boolean, since}`: it has marked an item, or all `through` that one, as read
 *
 * where `since` is `now` as it was when that was asked for. That it has deleted an item is an `inbox:deleted` without
 * `seq`, with data `{id, since}`.
 */
export interface Step {
  readonly event: string;
  readonly data: any;
  readonly seq?: number;
}

/** What the functions of inbox.js take and give. */
export type Take = (truth: Truth, data: any, seq: number) => Truth;
export type ItemsOf = (truth: Pick<Truth, "known" | "windows">, filter: Filter) => Item[];
export type SuggestionsOf = (truth: Truth) => Suggestion[];
export type Merge = (items: Item[], suggestions: Suggestion[], more: boolean) => (Item | Suggestion)[];
export type Know = (truth: Truth, id: string, news: Item | null, seq: number, isNew?: boolean) => Truth;
export type IsOlder = (id: string, other: string | null) => boolean;
export type Emit = (name: keyof Events, event?: any) => void;
export type Insist = (call: () => Promise<any>, isWanted: () => boolean) => Promise<any>;
export type Ask = (name: string, event: string, call: () => Promise<object>) => Promise<void>;
export type FetchItems = (name: string, cursor: string | null, wanted: number) => void;
export type Act = (kind: ActionKind, id: string) => Action;
export type Send = (action: Action, keepalive?: boolean) => Promise<void>;
export type Settle = (action: Action, step?: Step) => void;
export type Outcome = (action: Action, since: number) => Step;
export type Kept = (before: State, next: any) => State;
