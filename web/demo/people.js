/** Owns whom the page plays: two demo users with development tokens, their partnership, and calls in their names. */

const DEMO = ["alice", "bob"];
const USER_ID = /^[A-Za-z0-9_-]{1,64}$/; // as contracts/subjects.py has it
const PATIENCE = 10_000; // ms for an answer, which usually takes a few

/**
 * Where the other services are; the inbox is where this page comes from. `control` restarts the gateway, or is "".
 *
 * @type {{connection: string, push: string, control: string}}
 */
export const places = JSON.parse(document.documentElement.dataset.places ?? "{}");

/** A service refuses, or does not answer: then its status is 0. The message is fit to be shown. */
export class CallFailed extends Error {
  /**
   * @param {string} message
   * @param {number} status
   */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** Who sits here, and with whom, as the address says: `?as=alice&with=bob`; null if it does not. */
export function whoIsHere() {
  const address = new URLSearchParams(location.search);
  const me = address.get("as") ?? "";
  const partner = address.get("with") ?? (DEMO.includes(me) ? DEMO.find((name) => name !== me) : undefined) ?? "";
  return USER_ID.test(me) && USER_ID.test(partner) && me !== partner ? { me, partner } : null;
}

/** @type {Map<string, string>} */
const tokens = new Map(); // the last one of each user and scope

/**
 * A development token; the same one again unless `fresh`.
 *
 * @param {string} user
 * @param {{fresh?: boolean, scope?: string, ttl?: number}} [wish] `ttl`: seconds, of a new one
 */
export async function tokenOf(user, { fresh = false, scope = "", ttl = 3600 } = {}) {
  const key = `${user} ${scope}`;
  const known = tokens.get(key);
  if (known && !fresh) {
    return known;
  }
  const { token } = await send("POST", `${places.connection}/dev/token`, { body: { user_id: user, scope, ttl } });
  tokens.set(key, token);
  return /** @type {string} */ (token);
}

/**
 * Call an API as `user`: the JSON of its answer, or null if that is empty.
 *
 * @param {string} user
 * @param {string} method
 * @param {string} url
 * @param {{body?: object, scope?: string}} [options]
 */
export async function call(user, method, url, { body, scope } = {}) {
  try {
    return await send(method, url, { body, token: await tokenOf(user, { scope }) });
  } catch (error) {
    if (statusOf(error) !== 401) {
      throw error;
    }
    return send(method, url, { body, token: await tokenOf(user, { scope, fresh: true }) });
  }
}

/**
 * Have the gateway stopped, left down for so many seconds and started again; done when it is back.
 *
 * @param {number} seconds
 */
export function restartGateway(seconds) {
  const patience = PATIENCE + seconds * 1000;
  return send("POST", `${places.control}/gateway/restart`, { body: { down_for: seconds }, patience });
}

/**
 * Who is in the partnership of `me`. If there is none, the two become partners.
 *
 * @param {string} me
 * @param {string} partner
 * @returns {Promise<string[]>}
 */
export async function ensurePartners(me, partner) {
  const partnership = `${places.connection}/v1/partnership`;
  const current = () => call(me, "GET", partnership);
  try {
    return (await current()).members;
  } catch (error) {
    if (statusOf(error) !== 404) {
      throw error;
    }
  }
  try {
    const time_zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const { code } = await call(me, "POST", `${partnership}/invites`, { body: { time_zone } });
    return (await call(partner, "POST", `${partnership}/accept`, { body: { code } })).members;
  } catch (error) {
    if (statusOf(error) !== 409) {
      throw error;
    }
    return (await current()).members; // the partner's window was faster
  }
}

/** @param {unknown} error */
function statusOf(error) {
  return error instanceof CallFailed ? error.status : null;
}

/**
 * @param {string} method
 * @param {string} url
 * @param {{body?: object, token?: string, patience?: number}} options `patience`: ms
 */
async function send(method, url, { body, token, patience = PATIENCE }) {
  const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
  const signal = AbortSignal.timeout(patience);
  let response;
  let text;
  try {
    response = await fetch(url, { method, headers, signal, body: body && JSON.stringify(body) });
    text = await response.text();
  } catch {
    throw new CallFailed(`${new URL(url, location.href).host} does not answer; try again`, 0);
  }
  const isJson = /[/+]json\b/.test(response.headers.get("Content-Type") ?? "");
  const answer = isJson && text ? JSON.parse(text) : null;
  if (!response.ok) {
    throw new CallFailed(answer?.detail ?? (text || response.statusText), response.status);
  }
  return answer;
}
