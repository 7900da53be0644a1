/**
 * Owns the page's wire: a WebSocket like any other, with which one can make trouble.
 *
 * The tabs of one person share one socket, so each trouble is told to all of them, and befalls whichever holds it.
 */

const NETWORK_LOST = 1006; // the code that a browser gives to a socket that ended without a close frame

/**
 * @typedef {{opened: true} | {greeted: true} | {closed: number} | {unplug: number} | {sleep: number} | {send: string}
 *   | {block: any} | {unblocked: any}} Told
 */

/**
 * The wire of one person. `WebSocket` is what the library opens its sockets with.
 *
 * @param {string} user
 * @param {(order: any) => any} work what `block` does; it holds up its tab
 */
export function createWire(user, work) {
  const channel = new BroadcastChannel(`tandem-demo ${user}`);
  const events = new EventTarget();
  let attempts = 0;
  let leads = false;
  let asleep = false;
  let unplugged = false;
  /** @type {Set<Wire>} */
  const open = new Set(); // here; at most one, but for a moment

  class Wire extends WebSocket {
    #dead = false; // hears and says nothing any more, and nobody is told

    /**
     * @param {string | URL} url
     * @param {string | string[]} [protocols]
     */
    constructor(url, protocols) {
      super(url, protocols);
      this.addEventListener("close", () => open.delete(this));
      for (const type of ["open", "message", "error", "close"]) {
        this.addEventListener(type, (event) => this.#dead && event.isTrusted && event.stopImmediatePropagation());
      }
      this.addEventListener("message", () => tell({ greeted: true }), { once: true });
      this.addEventListener("close", ({ code }) => tell({ closed: code }));
      open.add(this);
      if (asleep || unplugged) {
        this.deafen();
        if (unplugged) {
          setTimeout(() => this.lose());
        }
      }
      tell({ opened: true });
    }

    /** @param {string} text */
    send(text) {
      if (!this.#dead) {
        super.send(text);
      }
    }

    /** As a network that swallows everything. */
    deafen() {
      this.#dead = true;
    }

    /** As a network that is gone. */
    lose() {
      this.deafen();
      this.close();
      this.dispatchEvent(new CloseEvent("close", { code: NETWORK_LOST }));
    }
  }

  /** @param {Told} told */
  function befall(told) {
    if ("unplug" in told) {
      unplugged = true;
      open.forEach((socket) => socket.lose());
      setTimeout(() => (unplugged = false), told.unplug);
    } else if ("sleep" in told) {
      asleep = true;
      const before = new Set(open);
      open.forEach((socket) => socket.deafen());
      setTimeout(() => wake(before), told.sleep);
    } else if ("send" in told) {
      open.forEach((socket) => socket.send(told.send));
    } else if ("block" in told && open.size > 0) {
      setTimeout(() => tell({ unblocked: work(told.block) })); // after what is being done now
    }
  }

  /**
   * What was open before the machine slept looks as if it still were; what a timer opened meanwhile has failed.
   *
   * @param {Set<Wire>} before
   */
  function wake(before) {
    asleep = false;
    [...open].filter((socket) => !before.has(socket)).forEach((socket) => socket.lose());
    document.dispatchEvent(new Event("visibilitychange", { bubbles: true })); // as a browser does on waking
  }

  /**
   * @param {Told} told
   * @param {boolean} here
   */
  function note(told, here) {
    if ("opened" in told) {
      attempts += 1;
      leads = here;
    }
    for (const [name, detail] of Object.entries(told)) {
      events.dispatchEvent(new CustomEvent(name, { detail }));
    }
  }

  /** @param {Told} told */
  function tell(told) {
    channel.postMessage(told);
    befall(told);
    note(told, true);
  }

  channel.onmessage = ({ data }) => {
    befall(data);
    note(data, false);
  };

  return {
    WebSocket: Wire,
    events, // of all tabs: `opened`, `greeted`, `closed` with the code, `unblocked` with what came of the work

    /** How often any tab has opened a socket since this one is there. */
    get attempts() {
      return attempts;
    },

    /** Whether it was this tab that opened the last one. */
    get leads() {
      return leads;
    },

    /** Pull the plug for some ms: the socket is gone without a word, and no other can be opened. */
    unplug: (/** @type {number} */ ms) => tell({ unplug: ms }),

    /** Sleep for some ms, as a closed laptop does: nothing is heard, and nobody is told that the socket has died. */
    sleep: (/** @type {number} */ ms) => tell({ sleep: ms }),

    /** Say something on the open socket. */
    send: (/** @type {string} */ text) => tell({ send: text }),

    /** Have the tab that holds the socket do its `work`, and nothing else: its browser stops reading meanwhile. */
    block: (/** @type {any} */ order) => tell({ block: order }),
  };
}

/** @typedef {ReturnType<typeof createWire>} WireOf */
