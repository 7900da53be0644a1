/** Owns the calls to the two HTTP services, as one of the demo users. */

/** Where `connection` and `push` are; the inbox is where this page comes from. */
export const places = JSON.parse(document.documentElement.dataset.places);
export const CONNECTION = `${places.connection}/v1`;

const PATIENCE = 10_000; // ms for an answer, which usually takes a few

/** A service refuses, or does not answer: then there is no `status`. The message is fit to be shown. */
export class CallFailed extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

const tokens = new Map(); // the last one of each user

/** A development token of `user`; a new one if `fresh`. */
export async function tokenOf(user, { fresh = false } = {}) {
  if (fresh || !tokens.has(user)) {
    const { token } = await send("POST", `${places.connection}/dev/token`, { user_id: user });
    tokens.set(user, token);
  }
  return tokens.get(user);
}

/** Call an API as `user`: the JSON of its answer, or null if that is empty. */
export async function call(user, method, url, body) {
  try {
    return await send(method, url, body, await tokenOf(user));
  } catch (error) {
    if (error.status !== 401) {
      throw error;
    }
    return send(method, url, body, await tokenOf(user, { fresh: true }));
  }
}

/** The partnership of `user`. If there is none, the demo users become partners: the first one invites the second. */
export async function ensurePartnership(user, [inviter, invited]) {
  const current = () => call(user, "GET", `${CONNECTION}/partnership`);
  try {
    return await current();
  } catch (error) {
    if (error.status !== 404) {
      throw error;
    }
  }
  try {
    const time_zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const { code } = await call(inviter, "POST", `${CONNECTION}/partnership/invites`, { time_zone });
    return await call(invited, "POST", `${CONNECTION}/partnership/accept`, { code });
  } catch (error) {
    if (error.status !== 409) {
      throw error;
    }
    return current(); // another window was faster
  }
}

async function send(method, url, body, token) {
  const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
  const signal = AbortSignal.timeout(PATIENCE);
  let response;
  let answer;
  try {
    response = await fetch(url, { method, headers, signal, body: body && JSON.stringify(body) });
    answer = response.status === 204 ? null : await response.json();
  } catch {
    throw new CallFailed(`${new URL(url, location).host} does not answer; try again`);
  }
  if (!response.ok) {
    throw new CallFailed(answer.detail, response.status);
  }
  return answer;
}
