/**
 * Owns a page's connection to the push gateway, which goes on where it was cut or says that it cannot.
 *
 * One of a person's tabs leads: only it has a socket. It is to the others what the gateway is to it: they say where
 * they stand and are sent a hello, what they missed, and every frame from then on.
 *
 * @import * as Types from "./realtime.types.js"
 * @typedef {Types.Options} Options
 * @typedef {Types.Realtime} Realtime
 * @typedef {Types.Status} Status
 * @typedef {Types.StatusChange} StatusChange
 * @typedef {Types.Frame} Frame
 */

const FIRST_PAUSE = 500; // ms; doubled by each further failure
const LONGEST_PAUSE = 30_000; // ms
const PATIENCE = 15_000; // ms for a token or a hello; a bad mobile line takes 2 or 3 s
const HELD = 10_000; // ms; a hello alone does not make a socket good
const RENEW_AFTER = 0.75; // of what is left of a token's life
const RENEW_PAUSE = 3000; // ms at least; the gateway takes 30 operations a minute
const TICK = 1000; // ms between looks at the clock; timers stop in sleep
const ANSWER_WITHIN = 5000; // ms, for a new tab
const KEPT = 1000; // events, some 300 KB
const LINGER = 1000; // ms for all tabs to hear of a sign-out before one leads

const TOKEN_REFUSED = 4401;
const NOT_ALLOWED = 4403;
const TOO_MANY = 4429;
const STOP = [4400, NOT_ALLOWED];

/** Connect. Nothing is ever thrown into the page. @type {(options: Options) => Realtime} */
export function createRealtime(options) {
  const page = new Page(options);
  return {
    ...page.listeners, // on, once, off
    get status() {
      return page.status.status;
    },
    get user() {
      return page.user;
    },
    close: () => page.leave(),
    signOut: () => page.signOut(),
  };
}

/** Up to where a page has everything, for each source: an event may come late, behind newer ones of the other. */
class Cursor {
  epoch = "";
  floor = 0; // nothing of any source is missing up to here
  /** @type {Record<string, number>} */
  positions = {};

  /** @param {Partial<Types.Place>} [place] */
  constructor(place) {
    Object.assign(this, structuredClone({ ...place }));
  }

  /** @param {{event: string, seq: number}} event */
  lacks({ event, seq }) {
    return seq > this.#at(event);
  }

  /** Whether it lacks nothing that `other` has. @param {Types.Place} other */
  covers({ epoch, floor, positions }) {
    const sources = Object.entries(positions);
    return epoch === this.epoch && floor <= this.floor && sources.every(([source, seq]) => seq <= this.#at(source));
  }

  /** Move on; false if it is an event from before. @param {Frame} frame */
  take(frame) {
    const { event, seq, data } = frame;
    if (beginsAnew(frame)) {
      this.epoch = data.epoch ?? this.epoch;
      this.floor = seq;
      this.positions = { ...frame.positions };
    } else if (event === "heartbeat") {
      this.floor = Math.max(this.floor, frame.whole ?? 0);
    } else if (event !== "hello") {
      if (!this.lacks(frame)) {
        return false;
      }
      this.positions[sourceOf(event)] = seq;
    }
    return true;
  }

  /** @param {string} event or its source */
  #at(event) {
    return Math.max(this.floor, this.positions[sourceOf(event)] ?? 0);
  }
}

/** The last events, for other tabs. */
class Kept {
  #start;
  /** @type {any[]} */
  #events = [];

  /** @param {Cursor} cursor where it begins */
  constructor(cursor) {
    this.#start = new Cursor(cursor);
  }

  /** @param {Frame} frame @param {string} text */
  add({ event, seq }, text) {
    this.#events.push({ event, seq, text });
    if (this.#events.length > KEPT) {
      this.#start.take(this.#events.shift());
    }
  }

  /** What is behind `cursor`, or null if some of that is gone. @param {Cursor} cursor */
  since(cursor) {
    const behind = this.#events.filter((event) => cursor.lacks(event));
    return cursor.covers(this.#start) ? behind.map(({ text }) => text) : null;
  }
}

/** Those who listen. What they throw stays here. */
class Listeners {
  /** @type {Map<string, Set<any>>} */
  #all = new Map();

  /** @type {Realtime["on"]} */
  on = (name, listener) => {
    this.#all.set(name, (this.#all.get(name) ?? new Set()).add(listener));
    return () => this.off(name, listener);
  };

  /** @type {Realtime["once"]} */
  once = (name, listener) => {
    /** @type {() => void} */
    const off = this.on(name, (...details) => (off(), listener(...details)));
    return off;
  };

  /** @type {Realtime["off"]} */
  off = (name, listener) => {
    this.#all.get(name)?.delete(listener);
  };

  /** @param {string} name @param {any[]} details */
  emit(name, ...details) {
    for (const listener of [...(this.#all.get(name) ?? [])]) {
      const called = new Promise((resolve) => resolve(listener(...details)));
      called.catch((error) => (name === "error" ? console.error(error) : this.report(error)));
    }
  }

  /** @param {unknown} error */
  report(error) {
    if (this.#all.get("error")?.size) {
      this.emit("error", error);
    } else {
      console.error(error);
    }
  }
}

/** The tokens of one person. What they say is not checked here. */
class Tokens {
  #getToken;
  #latest = "";
  /** @type {string | undefined} */
  #user;
  /** @type {Promise<string> | null} */
  #asking = null;

  /** @param {Options["getToken"]} getToken */
  constructor(getToken) {
    this.#getToken = getToken;
  }

  /** In ms since 1970. */
  get expiry() {
    return (claimsOf(this.#latest).exp ?? Infinity) * 1000;
  }

  /** Whose they are, if they say so. */
  async user() {
    this.#latest ||= await this.#ask(false);
    return this.#user;
  }

  /** One that may be good. @param {string} refused */
  async get(refused) {
    return this.#latest === refused || this.expiry <= Date.now() ? this.renew() : this.#latest;
  }

  /** A new one, asked for once at a time. */
  async renew() {
    this.#asking ??= this.#ask(true).finally(() => (this.#asking = null));
    return (this.#latest = await this.#asking);
  }

  /** @param {boolean} fresh @returns {Promise<string>} */
  async #ask(fresh) {
    const late = new Promise((_, reject) => setTimeout(reject, PATIENCE, new Error("no token came in time")));
    const token = await Promise.race([late, (async () => this.#getToken({ fresh }))()]);
    const { sub } = claimsOf(token);
    if (this.#user !== undefined && this.#user !== sub) {
      throw new Error("somebody else has signed in", { cause: NOT_ALLOWED });
    }
    this.#user = sub;
    return token;
  }
}

/** One socket after another, each as the end of the last asks for. */
class Connection {
  #page;
  #tokens;
  #token = ""; // what the gateway was shown last
  #refused = ""; // the token that was, until a socket holds
  #failures = 0;
  #heardAt = 0;
  #stopped = false;
  cut = () => {}; // ends the pause, unless that was ordered
  /** @type {(code: number, reason: string, pause?: number) => void} */
  end = () => {}; // ends the socket

  /** @param {Page} page */
  constructor(page) {
    this.#page = page;
    this.#tokens = new Tokens(page.options.getToken);
  }

  /** Be connected while this tab leads and there is use in it. */
  async run() {
    while (true) {
      let { code, reason, pause } = await this.#oneSocket().catch((error) => this.#failure(error));
      if (this.#stopped) {
        return;
      }
      if (STOP.includes(code)) {
        return this.#page.tell({ status: "stopped", reason, code });
      }
      if (code === TOO_MANY) {
        const { retry_after, detail } = parsed(() => reason); // which may have been cut short
        pause = 1000 * retry_after || LONGEST_PAUSE;
        reason = detail ?? reason;
      } else if (code === TOKEN_REFUSED) {
        pause = this.#refused ? undefined : 0;
        this.#refused = this.#token;
      }
      const retryAt = Date.now() + (pause ?? this.#backOff());
      this.#page.tell({ status: isOffline() ? "offline" : "reconnecting", reason, code, retryAt });
    }
  }

  /** The machine may have slept: do not wait for a socket that was silent for a heartbeat. */
  wake() {
    if (isOver(this.#heardAt, this.#page.heartbeat || PATIENCE)) {
      this.end(0, "nothing was heard for too long", 0);
    }
  }

  stop() {
    this.#stopped = true;
    this.end(0, "");
  }

  /** Full jitter, so that those who were cut off together do not come back together. */
  #backOff() {
    const { random = Math.random } = this.#page.options;
    return random() * Math.min(isOffline() ? Infinity : FIRST_PAUSE * 2 ** this.#failures++, LONGEST_PAUSE);
  }

  #pause() {
    const { retryAt, code } = this.#page.status;
    return new Promise((resolve) => {
      const go = () => this.#stopped || resolve(null);
      setTimeout(go, (retryAt ?? 0) - Date.now());
      this.cut = () => code === TOO_MANY || go();
    });
  }

  /** @returns {Promise<Types.End>} */
  async #oneSocket() {
    await this.#pause();
    await this.#page.turn(await this.#tokens.user());
    if (this.#page.status.code === TOO_MANY) {
      await this.#pause(); // another tab was told so
    }
    this.#token = await this.#tokens.get(this.#refused);
    return this.#untilItsEnd();
  }

  /** @param {unknown} error @returns {Types.End} */
  #failure(error) {
    this.#page.listeners.report(error);
    const { message, cause } = Object(error);
    return { code: cause === NOT_ALLOWED ? cause : 0, reason: message ?? `${error}` };
  }

  /** @returns {Promise<Types.End>} */
  #untilItsEnd() {
    return new Promise((resolve) => {
      const page = this.#page;
      if (this.#stopped) {
        return;
      }
      const { WebSocket = globalThis.WebSocket } = page.options;
      const socket = new WebSocket(page.url, ["tandem.v1", `bearer.${this.#token}`]);
      let patience = PATIENCE;
      let heldAt = Infinity;
      let renewAt = Infinity;

      const renewLater = () => {
        const left = this.#tokens.expiry - Date.now();
        renewAt = left > 0 ? Date.now() + Math.max(RENEW_PAUSE, RENEW_AFTER * left) : Infinity;
      };
      const renew = async () => {
        renewAt = Infinity;
        try {
          const token = await this.#tokens.renew();
          if (socket.readyState === socket.OPEN) {
            this.#token = token;
            socket.send(JSON.stringify({ op: "auth", token }));
          }
        } catch (error) {
          const { code, reason } = this.#failure(error);
          if (code) {
            this.end(code, reason);
          }
        }
        renewLater();
      };
      const ticking = setInterval(() => {
        if (isOver(this.#heardAt, patience)) {
          this.end(0, "nothing was heard for too long");
        } else if (Date.now() >= renewAt) {
          renew();
        }
      }, TICK);

      this.#heardAt = Date.now();
      this.end = (code, reason, pause) => {
        this.end = () => {};
        if (Date.now() >= heldAt) {
          this.#refused = "";
          this.#failures = 0;
        }
        clearInterval(ticking);
        socket.onmessage = socket.onclose = null;
        socket.close(); // which may take long: nobody waits for it
        resolve({ code, reason, pause });
      };
      socket.onclose = ({ code, reason }) => this.end(code, reason || "the connection was lost");
      socket.onmessage = ({ data }) => {
        this.#heardAt = Date.now();
        page.tabs?.pass(data);
        const event = page.receive(data);
        if (event === "hello") {
          patience = 2 * page.heartbeat;
          heldAt = Date.now() + HELD;
          renewLater();
        } else if (event === "heartbeat") {
          heldAt = 0;
        }
      };
    });
  }
}

/** The tabs of one person: which of them leads, and what they tell each other. */
class Tabs {
  turn = Promise.resolve(); // of this one, to lead
  #id = Math.random();
  #name;
  #page;
  #channel;
  #alone;
  leading = false;
  #leader = 0; // whose frames this one has, up to a number
  #number = 0;
  #asked = false; // and not answered yet
  #heardAt = Date.now();
  #queue = new AbortController();
  #granted = () => {};
  #release = () => {};
  #watching;

  /** @param {string} name @param {boolean} share @param {Page} page */
  constructor(name, share, page) {
    this.#name = name;
    this.#page = page;
    this.#channel = globalThis.BroadcastChannel && new BroadcastChannel(name);
    this.#alone = !share || !this.#channel || !globalThis.navigator?.locks;
    this.#channel?.addEventListener("message", ({ data }) => this.#hear(data));
    if (!this.#alone) {
      this.#follow();
      this.#watching = setInterval(() => this.#watch(), TICK);
    }
  }

  /** Tell all others. @param {string} kind @param {object} [more] */
  post(kind, more) {
    if (kind === "signOut" || !this.#alone) {
      this.#channel?.postMessage({ kind, from: this.#id, number: this.#number, ...more });
    }
  }

  /** @param {string} text a frame */
  pass(text) {
    this.#number++;
    this.post("frame", { text });
  }

  /** Say where this one stands, to be sent what it missed. @param {boolean} [slept] */
  ask(slept) {
    if (!this.leading) {
      this.#leader = 0;
      this.#asked = true;
      this.post("ask", { slept, place: { ...this.#page.cursor } });
    }
  }

  /** @param {number} linger ms until another one may lead */
  leave(linger) {
    clearInterval(this.#watching);
    this.#queue.abort();
    this.#channel?.close();
    setTimeout(() => this.#release(), linger);
  }

  #follow() {
    this.turn = new Promise((granted) => (this.#granted = granted));
    this.#stand({});
    this.ask();
  }

  /** Stand in line for the lock. @param {{steal?: boolean}} how */
  async #stand({ steal }) {
    const { signal } = (this.#queue = new AbortController());
    try {
      await navigator.locks.request(this.#name, steal ? { steal } : { signal }, () => this.#lead());
    } catch {
      if (this.leading) {
        this.leading = false; // it was stolen: this tab was silent for too long
        this.#follow();
        this.#page.connection.end(0, "another tab is connected", 0);
      } else if (!signal.aborted) {
        this.#alone = true; // there are no locks here after all
        this.#granted();
      }
    }
  }

  #lead() {
    this.leading = true;
    this.post("lead");
    this.#granted();
    return new Promise((release) => (this.#release = () => release(null)));
  }

  /** Ask a silent leader; if it does not answer, replace it. */
  #watch() {
    if (this.leading || !isOver(this.#heardAt, 2 * this.#page.heartbeat || ANSWER_WITHIN)) {
      return;
    }
    if (this.#asked) {
      this.#heardAt = Date.now();
      this.#queue.abort();
      this.#stand({ steal: true });
    } else {
      this.ask();
    }
  }

  /** @param {any} message */
  #hear({ kind, from, to, number, status, texts, text, place, slept }) {
    const page = this.#page;
    if (kind === "signOut") {
      page.forget();
    } else if (this.leading) {
      if (kind === "ask") {
        this.post("answer", { to: from, ...page.answer(new Cursor(place)) });
        if (slept) {
          page.connection.wake();
        }
      }
    } else if (kind === "lead") {
      this.ask();
    } else if (kind === "status" || (kind === "answer" && to === this.#id)) {
      this.#heardAt = Date.now();
      this.#asked &&= kind === "status";
      if (texts) {
        this.#leader = from;
        this.#number = number;
        texts.forEach(page.receive, page);
      }
      page.show(status);
    } else if (kind === "frame" && from === this.#leader && number === this.#number + 1) {
      this.#heardAt = Date.now();
      this.#number = number;
      page.receive(text);
    } else if (kind === "frame" && !this.#asked) {
      this.ask();
    }
  }
}

/** What one page knows and tells. */
class Page {
  listeners = new Listeners();
  /** @type {StatusChange} */
  status = { reason: "", code: 0, retryAt: null, status: "connecting" };
  /** @type {string | null} */
  user = null;
  heartbeat = 0; // ms
  cursor = new Cursor();
  /** @type {Tabs | null} */
  tabs = null;
  #kept = new Kept(this.cursor);
  #key = "";
  #begun = false; // the page was told to fetch its state
  #closing = new AbortController();

  /** @param {Options} options */
  constructor(options) {
    this.options = options;
    this.connection = new Connection(this);
    this.#heed("online", () => this.connection.cut());
    this.#heed("offline", () => this.#unplugged());
    this.#heed("visibilitychange", () => this.#wake());
    this.#heed("pageshow", () => this.#wake());
    this.connection.run().catch((error) => this.listeners.report(error));
  }

  get url() {
    const { epoch, floor: since, positions } = this.cursor;
    const query = new URLSearchParams(/** @type {any} */ ({ ...positions, epoch, since }));
    return epoch ? `${this.options.url}?${query}` : this.options.url;
  }

  /** Until this tab leads those of `user`. @param {string | undefined} user */
  async turn(user) {
    if (!this.tabs && this.status.status !== "closed") {
      this.#key = `tandem ${this.options.url} ${user}`;
      this.cursor = new Cursor(parsed(() => this.#storage?.getItem(this.#key)));
      this.#kept = new Kept(this.cursor);
      this.tabs = new Tabs(this.#key, this.options.share !== false && !!user, this);
    }
    await this.tabs?.turn;
    if (this.status.status === "live") {
      this.show({ status: "reconnecting" }); // the tab that was live is gone
    }
  }

  /** What a tab is told that stands there. @param {Cursor} cursor */
  answer(cursor) {
    const { epoch, floor: seq, positions } = this.cursor;
    const missed = this.#kept.since(cursor);
    const data = { user_id: this.user, epoch, resumed: missed !== null, heartbeat: this.heartbeat / 1000 };
    const hello = JSON.stringify({ event: "hello", seq, data, positions });
    return { status: this.status, texts: this.status.status === "live" && [hello, ...(missed ?? [])] };
  }

  /** Take a frame; returns what it is. @param {string} text */
  receive(text) {
    /** @type {Frame} */
    let frame;
    let isNew;
    try {
      frame = JSON.parse(text);
      isNew = this.cursor.take(frame);
    } catch {
      this.listeners.report(new Error(`this is no frame: ${text}`));
      return this.#resync("a frame could not be read");
    }
    const { event, data } = frame;
    this.#remember(JSON.stringify(this.cursor));
    this.listeners.emit("frame", text, frame);
    if (beginsAnew(frame)) {
      this.#kept = new Kept(this.cursor);
    }
    if (event === "hello") {
      this.#greeted(data);
    } else if (event === "resync") {
      this.#resync(data.reason);
    } else if (event !== "heartbeat" && isNew) {
      this.#kept.add(frame, text);
      this.listeners.emit(event, data, frame);
    }
    return event;
  }

  /** Show how things are, in all tabs. @param {Partial<StatusChange>} change */
  tell(change) {
    this.show(change);
    if (this.tabs?.leading) {
      this.tabs.post("status", { status: this.status });
    }
  }

  /** @param {Partial<StatusChange>} change */
  show(change) {
    const status = { ...this.status, reason: "", code: 0, retryAt: null, ...change };
    if (JSON.stringify(status) !== JSON.stringify(this.status)) {
      this.status = status;
      this.listeners.emit("status", status);
    }
  }

  signOut() {
    this.tabs?.post("signOut");
    this.forget();
  }

  forget() {
    this.leave("signed out", LINGER);
    this.#remember("");
  }

  leave(reason = "", linger = 0) {
    if (this.status.status !== "closed") {
      this.#closing.abort();
      this.connection.stop();
      this.tabs?.leave(linger);
      this.tabs = null;
      this.show({ status: "closed", reason });
    }
  }

  /** @param {Types.Hello} hello */
  #greeted(hello) {
    this.user = hello.user_id;
    this.heartbeat = 1000 * hello.heartbeat;
    this.show({ status: "live" });
    this.listeners.emit("hello", hello);
    if (!this.#begun || !hello.resumed) {
      this.#resync(this.#begun ? "events were missed" : "connected");
    }
  }

  /** @param {string} reason */
  #resync(reason) {
    this.#begun = true;
    this.listeners.emit("resync", { reason });
  }

  #unplugged() {
    this.connection.end(0, "the network is gone");
    this.connection.cut();
  }

  #wake() {
    if (document.visibilityState === "visible") {
      this.connection.wake();
      this.connection.cut();
      this.tabs?.ask(true);
    }
  }

  /** @param {string} name @param {() => void} listener */
  #heed(name, listener) {
    globalThis.addEventListener?.(name, listener, { signal: this.#closing.signal });
  }

  /** @param {string} place */
  #remember(place) {
    try {
      place ? this.#storage?.setItem(this.#key, place) : this.#storage?.removeItem(this.#key);
    } catch {
      // it is full or forbidden
    }
  }

  get #storage() {
    return this.options.storage === undefined ? globalThis.sessionStorage : this.options.storage;
  }
}

/** @param {Frame} frame */
function beginsAnew({ event, data }) {
  return event === "resync" || (event === "hello" && !data.resumed);
}

/** @param {string} event */
function sourceOf(event) {
  return event.split(/[_:]/, 1)[0];
}

/** What a JWT says. @param {string} token */
function claimsOf(token) {
  return parsed(() => atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
}

/** What JSON says, if it is any. @param {() => any} text */
function parsed(text) {
  try {
    return Object(JSON.parse(text() ?? "{}"));
  } catch {
    return {};
  }
}

/** @param {number} since @param {number} ms */
function isOver(since, ms) {
  return Math.abs(Date.now() - since) > ms; // whatever the clock was set to meanwhile
}

function isOffline() {
  return globalThis.navigator?.onLine === false;
}
