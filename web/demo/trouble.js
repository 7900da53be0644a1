/** Owns making trouble: what each button breaks, what happens meanwhile, and the report of what came of it. */

import { attempt, byId, within } from "./dom.js";
import { call, CallFailed, restartGateway, tokenOf } from "./people.js";
import { reportOf } from "./report.js";
import { say, seconds } from "./words.js";

const ITEMS = "/v1/inbox/items";
const MAY_WRITE = "inbox:write"; // the scope of a service that puts items into inboxes
const NOTICES = 5;
const UNPLUGGED = 1000; // ms
const EXPIRES_IN = 1; // s; the gateway looks at the clock every second
const BIG_NOTICES = 64;
const BIG = 31_000; // bytes; the API takes 32 KiB. All of them are 2 MB: 1 MiB may wait, and the kernels hold some
const LAG = 300; // ms that the last of them may need to the gateway
const GATEWAY_PATIENCE = 20_000; // ms for the gateway to hang up
const REPORTS_MAX = 5;

/**
 * @import { WireOf } from "./wire.js"
 * @import { Witness } from "./witness.js"
 * @typedef {{restart: number, sleep: number, patience: number}} Durations seconds
 * @typedef {() => Promise<string[]>} Meanwhile makes things happen; gives the ids of the new items
 */

/**
 * @param {WireOf} wire
 * @param {Witness} witness
 * @param {string} me
 * @param {Durations} durations
 */
export function createTrouble(wire, witness, me, durations) {
  const section = byId("trouble");
  const status = within(section, ".status");
  const reports = within(section, ".reports");

  let code = 0; // with which the socket was closed at first
  wire.events.addEventListener("closed", (event) => (code ||= /** @type {CustomEvent} */ (event).detail));

  /** Each breaks something, has `meanwhile` done while it is broken, and is done when the world is in order again. */
  const troubles = {
    /** @param {Meanwhile} meanwhile */
    async cut(meanwhile) {
      wire.unplug(UNPLUGGED);
      return (await Promise.all([meanwhile(), pause(UNPLUGGED)]))[0];
    },

    /** @param {Meanwhile} meanwhile */
    async sleep(meanwhile) {
      wire.sleep(durations.sleep * 1000);
      return (await Promise.all([meanwhile(), pause(durations.sleep * 1000)]))[0];
    },

    /** Both know it as their token now: this page, and the gateway. @param {Meanwhile} meanwhile */
    async expire(meanwhile) {
      const token = await tokenOf(me, { fresh: true, ttl: EXPIRES_IN });
      const hungUp = closed(wire);
      wire.send(JSON.stringify({ op: "auth", token }));
      await hungUp;
      return meanwhile();
    },

    /** @param {Meanwhile} meanwhile */
    async restart(meanwhile) {
      const back = restartGateway(durations.restart);
      await Promise.race([closed(wire), back]);
      return (await Promise.all([meanwhile(), back]))[0];
    },

    /** On a new socket: for one that has read much the kernel keeps a buffer of megabytes. */
    async slow() {
      const greeted = happens(wire, "greeted");
      wire.unplug(0);
      await greeted;
      code = 0;
      const hungUp = closed(wire);
      const unblocked = happens(wire, "unblocked");
      const orders = notices(me, BIG_NOTICES, BIG);
      wire.block({ token: await tokenOf(me, { scope: MAY_WRITE }), orders });
      const failure = await hungUp.then(() => null, (error) => error);
      const ids = await unblocked;
      if (failure) {
        await remove(me, ids);
        throw failure;
      }
      return ids;
    },
  };

  /** @param {keyof typeof troubles} name */
  async function make(name) {
    const before = { ...witness.counted, attempts: wire.attempts };
    code = 0;
    const began = performance.now();
    const ids = await troubles[name](() => changes(me));
    const over = performance.now();
    const left = await witness.whole(durations.patience * 1000);
    const whole = performance.now();
    await remove(me, ids);
    const missed = left || (await witness.whole(durations.patience * 1000));
    const { again, twice } = witness.counted;
    const repeated = twice - before.twice;
    const report = {
      missed,
      repeated,
      dropped: again - before.again - repeated,
      attempts: wire.attempts - before.attempts,
      ...(code && { code }),
    };
    const [title, after] = [label(name, durations), (whole - over) / 1000];
    status.textContent = say("reported", { trouble: title, ...report, seconds: seconds(after) });
    reports.prepend(reportOf(name, title, report, { broken: (over - began) / 1000, after }));
    while (reports.children.length > REPORTS_MAX) {
      reports.lastElementChild?.remove();
    }
  }

  const buttons = /** @type {NodeListOf<HTMLButtonElement>} */ (section.querySelectorAll("button[data-trouble]"));
  buttons.forEach((button) => {
    const name = /** @type {keyof typeof troubles} */ (button.dataset.trouble);
    button.addEventListener("click", () => {
      if (section.ariaBusy === "true") {
        return;
      }
      status.textContent = say("underWay", { trouble: label(name, durations) });
      section.ariaBusy = "true";
      attempt(button, () => make(name)).finally(() => (section.ariaBusy = "false"));
    });
  });
}

/** @param {string} name @param {Durations} durations */
function label(name, durations) {
  return say(/** @type {any} */ (name), { seconds: /** @type {any} */ (durations)[name] ?? 0 });
}

/** Notices to oneself. @param {string} me @param {number} count @param {number} [padding] bytes in each */
function notices(me, count, padding = 0) {
  return Array.from({ length: count }, (_, index) => ({
    recipient_id: me,
    kind: "notice",
    title: say("notice", { number: index + 1, count }),
    body: say("noticeBody"),
    data: padding ? { padding: "x".repeat(padding) } : {},
  }));
}

/**
 * Put notices into an inbox by requests that hold up this tab, as only an old page does; gives their ids.
 *
 * @param {{token: string, orders: object[]}} what
 */
export function flood({ token, orders }) {
  const ids = orders.map((order) => {
    const request = new XMLHttpRequest();
    request.open("POST", ITEMS, false);
    request.setRequestHeader("Authorization", `Bearer ${token}`);
    request.setRequestHeader("Content-Type", "application/json");
    request.send(JSON.stringify(order));
    return JSON.parse(request.responseText).id;
  });
  const end = performance.now() + LAG;
  while (performance.now() < end);
  return ids;
}

/** What happens while something is broken: notices, of which one is read and one deleted. @param {string} me */
async function changes(me) {
  const post = async (/** @type {object} */ body) => (await call(me, "POST", ITEMS, { body, scope: MAY_WRITE })).id;
  const [read, deleted, ...others] = await Promise.all(notices(me, NOTICES).map(post));
  await Promise.all([call(me, "POST", `${ITEMS}/${read}/read`), call(me, "DELETE", `${ITEMS}/${deleted}`)]);
  return [read, ...others];
}

/** Delete items, unless somebody has done it by hand. @param {string} me @param {string[]} ids */
async function remove(me, ids) {
  const gone = (/** @type {unknown} */ error) => {
    if (!(error instanceof CallFailed) || error.status !== 404) {
      throw error;
    }
  };
  await Promise.all(ids.map((id) => call(me, "DELETE", `${ITEMS}/${id}`).catch(gone)));
}

/** Until the socket has ended, however it ended. @param {WireOf} wire */
function closed(wire) {
  return happens(wire, "closed");
}

/** What an event of the wire says. @param {WireOf} wire @param {string} name @returns {Promise<any>} */
function happens(wire, name) {
  return new Promise((resolve, reject) => {
    wire.events.addEventListener(name, (event) => resolve(/** @type {CustomEvent} */ (event).detail), { once: true });
    setTimeout(reject, GATEWAY_PATIENCE, new CallFailed(say("nothingHappened"), 0));
  });
}

/** @param {number} ms */
function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
