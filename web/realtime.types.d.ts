/** Owns the types of realtime.js: what it offers and what it speaks of. They are here so as not to be sent to browsers. */

export interface Options {
  /** ws(s)://.../v1/push */
  url: string;
  /** A JWT. `fresh`: not the one from before. */
  getToken(wish: { fresh: boolean }): Promise<string> | string;
  /** One socket for all tabs of this person, where the browser can do that; the default. */
  share?: boolean;
  WebSocket?: typeof globalThis.WebSocket;
  /** Keeps the place across reloads; sessionStorage by default. */
  storage?: Pick<Storage, "getItem" | "setItem" | "removeItem"> | null;
  /** From 0 to 1, for the pauses. */
  random?: () => number;
}

export interface Realtime {
  readonly status: Status;
  /** The user's id, as the last hello said it. */
  readonly user: string | null;
  on<Name extends string>(name: Name, listener: Listener<Name>): () => void;
  once<Name extends string>(name: Name, listener: Listener<Name>): () => void;
  off<Name extends string>(name: Name, listener: Listener<Name>): void;
  /** This tab is done; another one takes over if it led. */
  close(): void;
  /** The person leaves: in all tabs the socket is closed and the place forgotten. */
  signOut(): void;
}

export type Status = "connecting" | "live" | "reconnecting" | "offline" | "stopped" | "closed";

export interface StatusChange {
  status: Status;
  /** Fit to be shown. */
  reason: string;
  /** The close code of the last socket; 0 if that is not why. */
  code: number;
  /** When the next try is, in ms since 1970; if that is past, it is under way. */
  retryAt: number | null;
}

export interface Frame {
  event: string;
  seq: number;
  id?: string;
  data: any;
  whole?: number;
  /** Only in a hello from the tab that leads. */
  positions?: Record<string, number>;
}

export interface Hello {
  user_id: string;
  epoch: string;
  resumed: boolean;
  /** Seconds. */
  heartbeat: number;
}

/** What listeners are called with; those of any other name, the events of the bus, with its data and the frame. */
export interface Details {
  status: [change: StatusChange];
  hello: [hello: Hello];
  /** Fetch your state now. */
  resync: [why: { reason: string }];
  /** Every frame as it came, also repeated ones. */
  frame: [text: string, frame: Frame];
  error: [error: unknown];
}

export type Listener<Name extends string = string> = (
  ...details: Name extends keyof Details ? Details[Name] : [data: any, frame: Frame]
) => unknown;

/** Up to where a page has everything. */
export interface Place {
  epoch: string;
  /** Nothing of any source is missing up to here. */
  floor: number;
  /** By source, the first word of its events' names. */
  positions: Record<string, number>;
}

/** How a socket ended. */
export interface End {
  /** 0: it was not closed, but given up. */
  code: number;
  reason: string;
  /** Ms until the next one, if that is known. */
  pause?: number;
}
