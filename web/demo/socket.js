/**
 * Owns the page's one socket: opening, resuming and renewing it, and coming back in the way that the close code asks
 * for (DESIGN.md, section 5). What an event means is not its business.
 */

const FIRST_PAUSE = 500; // ms; doubled by each further failure
const LONGEST_PAUSE = 30_000; // ms
const HELLO_WITHIN = 15_000; // ms; a handshake on a bad mobile line takes 2 or 3 s
const RENEW_AFTER = 0.75; // of what is left of a token's life
const RENEW_PAUSE = 10_000; // ms at least; the gateway counts what it is sent

const TOKEN_REFUSED = 4401;
const TOO_MANY = 4429;
const STOP = [4400, 4403];

export class PushSocket {
  #options;
  #epoch = "";
  #positions = {}; // in this epoch, for each source: up to where we have everything of it
  #failures = 0;

  /**
   * @param {object} options
   * @param {string} options.url
   * @param {(wish: {fresh: boolean}) => Promise<string>} options.getToken a JWT; `fresh`: not the one from before
   * @param {(frame: object, text: string) => void} options.onFrame each frame, in order; a resume may repeat some
   * @param {(status: "reconnecting" | "live" | "stopped", why: string) => void} options.onStatus
   */
  constructor(options) {
    this.#options = options;
  }

  /** Be connected, until the gateway says that there is no use in it. */
  async run() {
    const { onStatus } = this.#options;
    onStatus("reconnecting", "");
    for (let fresh = false; ; ) {
      const { code, reason } = await this.#oneSocket(fresh);
      if (STOP.includes(code)) {
        return onStatus("stopped", `${reason} (${code}), not trying again`);
      }
      const limit = code === TOO_MANY ? limitOf(reason) : null;
      const pause = limit ? limit.pause : this.#backOff();
      const why = `${limit?.detail || reason || "the connection was lost"}${code ? ` (${code})` : ""}`;
      onStatus("reconnecting", `${why}, next try in ${(pause / 1000).toFixed(1)} s`);
      await (limit ? sleep(pause) : sleepUnlessOnline(pause));
      fresh = code === TOKEN_REFUSED;
    }
  }

  /** One socket from opening to its end: the close code and reason. Other failures have no code. */
  async #oneSocket(fresh) {
    try {
      return await this.#untilClosed(await this.#options.getToken({ fresh }));
    } catch (error) {
      return { reason: error.message };
    }
  }

  #untilClosed(token) {
    return new Promise((resolve) => {
      const socket = new WebSocket(this.#place(), ["tandem.v1", `bearer.${token}`]);
      let patience = HELLO_WITHIN;
      let silence;
      let renewal;

      const end = ({ code, reason }) => {
        clearTimeout(silence);
        clearTimeout(renewal);
        socket.close(); // a dead one takes long over it: nobody waits for that
        resolve({ code, reason });
      };
      const listen = () => {
        clearTimeout(silence);
        silence = setTimeout(end, patience, { reason: "nothing was heard for too long" });
      };
      const renewLater = () => {
        const pause = Math.max(RENEW_PAUSE, RENEW_AFTER * (expiry(token) - Date.now()));
        renewal = setTimeout(async () => {
          token = await this.#options.getToken({ fresh: true }).catch(() => token); // then the next try has to do
          if (socket.readyState === WebSocket.OPEN) {
            socket.send(JSON.stringify({ op: "auth", token }));
            renewLater();
          }
        }, pause);
      };

      listen();
      socket.onopen = renewLater;
      socket.onclose = end;
      socket.onmessage = ({ data }) => {
        const frame = JSON.parse(data);
        if (frame.event === "hello") {
          patience = 2 * frame.data.heartbeat * 1000;
        }
        listen();
        this.#take(frame, data);
      };
    });
  }

  #place() {
    const since = Math.max(...Object.values(this.#positions));
    const cursor = new URLSearchParams({ epoch: this.#epoch, since, ...this.#positions });
    return this.#epoch ? `${this.#options.url}?${cursor}` : this.#options.url;
  }

  #take(frame, text) {
    if (frame.event === "hello") {
      this.#options.onStatus("live", "");
    } else if (frame.event === "heartbeat") {
      this.#failures = 0; // this socket holds; a `hello` alone would not tell
    }
    this.#options.onFrame(frame, text);
    this.#move(frame);
  }

  /** An event that was lost and repaired may come behind one of the other source that is newer: each has its place. */
  #move({ event, seq, whole, data }) {
    if (event === "resync" || (event === "hello" && !data.resumed)) {
      this.#epoch = data.epoch ?? this.#epoch;
      this.#positions = { connection: seq, inbox: seq };
    } else if (event === "heartbeat") {
      for (const source in this.#positions) {
        this.#positions[source] = Math.max(this.#positions[source], whole);
      }
    } else if (event !== "hello") {
      this.#positions[event.split(/[_:]/, 1)[0]] = seq;
    }
  }

  /** Full jitter: drawn from all of the range, so that those who were cut off together do not come back together. */
  #backOff() {
    return Math.random() * Math.min(FIRST_PAUSE * 2 ** this.#failures++, LONGEST_PAUSE);
  }
}

/** When a JWT expires, in ms since 1970. */
function expiry(token) {
  const claims = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
  return JSON.parse(atob(claims)).exp * 1000;
}

/** The pause in ms and the words in a reason like {"retry_after": 30, "detail": "..."}, which may be cut short. */
function limitOf(reason) {
  try {
    const { retry_after, detail } = JSON.parse(reason);
    return { pause: retry_after * 1000 || LONGEST_PAUSE, detail };
  } catch {
    return { pause: LONGEST_PAUSE, detail: reason };
  }
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** As `sleep`, but the browser may tell earlier that the network is back. */
function sleepUnlessOnline(ms) {
  const online = new Promise((resolve) => {
    addEventListener("online", resolve, { once: true, signal: AbortSignal.timeout(ms) });
  });
  return Promise.race([sleep(ms), online]);
}
