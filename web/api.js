/** Owns the calls to the two HTTP services: the items of an inbox, what can be done to them, and the suggestions. */

const PATIENCE = 10_000; // ms for an answer, which usually takes a few
const SUGGESTIONS_MAX = 200; // the largest page of the API: more than half a year of open questions

/**
 * @typedef {object} Item as contracts/schemas/InboxItem.json has it
 * @property {string} id a UUIDv7: the greater, the newer
 * @property {string} recipient_id
 * @property {string | null} sender_id
 * @property {string} kind
 * @property {string} title
 * @property {string} body
 * @property {Record<string, any>} data
 * @property {boolean} is_read
 * @property {string | null} read_at
 * @property {string} created_at RFC 3339, UTC
 * @property {string} updated_at
 */

/** @typedef {{items: Item[], next_cursor: string | null, unread_count: number}} Page newest first */

/**
 * @typedef {object} Suggestion a question that this person has not answered yet (DailyConnection)
 * @property {string} id
 * @property {string} partnership_id
 * @property {string} date YYYY-MM-DD
 * @property {string} question
 * @property {{id: string, author_id: string, text: string, created_at: string}[]} answers
 */

/** A service refuses, or does not answer. The message is fit to be shown. */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {number} status of HTTP; 0: there was no answer
   * @param {number | null} retryAfter ms; null: the service did not say
   */
  constructor(message, status, retryAfter = null) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** @typedef {ReturnType<typeof createApi>} Api */

/**
 * The calls of one person.
 *
 * @param {object} options
 * @param {string} [options.inboxUrl] where the inbox service is, without a path; "" is where the page comes from
 * @param {string} [options.connectionUrl] where the connection service is, likewise
 * @param {(wish: {fresh: boolean}) => Promise<string> | string} options.getToken a JWT; `fresh`: another than before
 * @param {typeof globalThis.fetch} [options.fetch]
 */
export function createApi({ inboxUrl = "", connectionUrl = "", getToken, fetch = globalThis.fetch.bind(globalThis) }) {
  const itemsUrl = `${inboxUrl}/v1/inbox/items`;

  /**
   * @param {string} method
   * @param {string} url
   * @param {{body?: object, keepalive?: boolean}} [options]
   */
  async function call(method, url, options = {}) {
    try {
      return await send(method, url, options, false);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) {
        throw error;
      }
      return send(method, url, options, true); // the token may just have expired
    }
  }

  /**
   * @param {string} method
   * @param {string} url
   * @param {{body?: object, keepalive?: boolean}} options
   * @param {boolean} fresh
   */
  async function send(method, url, { body, keepalive = false }, fresh) {
    const authorization = { Authorization: `Bearer ${await tokenOf(fresh)}` };
    const headers = body ? { ...authorization, "Content-Type": "application/json" } : authorization;
    const signal = AbortSignal.timeout(PATIENCE);
    let response;
    let answer = null;
    try {
      response = await fetch(url, { method, headers, keepalive, signal, body: body && JSON.stringify(body) });
      const text = await response.text();
      answer = isJson(response) && text ? JSON.parse(text) : null;
    } catch {
      throw new ApiError(`${hostOf(url)} does not answer; try again`, 0);
    }
    if (!response.ok) {
      const message = answer?.detail ?? `${hostOf(url)} answers ${response.status} ${response.statusText}`.trim();
      throw new ApiError(message, response.status, pauseIn(response.headers.get("Retry-After")));
    }
    return answer;
  }

  /** @param {boolean} fresh */
  async function tokenOf(fresh) {
    try {
      return await getToken({ fresh });
    } catch (error) {
      throw new ApiError(error instanceof Error ? error.message : String(error), 0);
    }
  }

  return {
    /**
     * A page of items, newest first; with a `cursor` the one after that page.
     *
     * @param {{cursor?: string | null, limit?: number, unread?: boolean}} [options]
     * @returns {Promise<Page>}
     */
    items({ cursor = null, limit = 50, unread = false } = {}) {
      const query = new URLSearchParams({ limit: String(limit) });
      if (unread) {
        query.set("is_read", "false");
      }
      if (cursor !== null) {
        query.set("cursor", cursor);
      }
      return call("GET", `${itemsUrl}?${query}`);
    },

    /**
     * @param {string} id
     * @param {{keepalive?: boolean}} [options] `keepalive`: also when the page is left meanwhile
     * @returns {Promise<Item>} as it is now
     */
    markRead: (id, options) => call("POST", `${itemsUrl}/${encodeURIComponent(id)}/read`, options),

    /**
     * @param {string} through the newest item that was on the screen: what came later stays unread
     * @param {{keepalive?: boolean}} [options]
     * @returns {Promise<{updated: number}>}
     */
    markAllRead: (through, options) => call("POST", `${itemsUrl}/read-all`, { ...options, body: { through } }),

    /**
     * @param {string} id
     * @param {{keepalive?: boolean}} [options]
     * @returns {Promise<null>}
     */
    remove: (id, options) => call("DELETE", `${itemsUrl}/${encodeURIComponent(id)}`, options),

    /**
     * The open questions, the latest first.
     *
     * @returns {Promise<{items: Suggestion[], next_cursor: string | null}>}
     */
    suggestions: () => call("GET", `${connectionUrl}/v1/suggestions?limit=${SUGGESTIONS_MAX}`),
  };
}

/** @param {Response} response */
function isJson(response) {
  return /[/+]json\b/.test(response.headers.get("Content-Type") ?? "");
}

/** @param {string} url */
function hostOf(url) {
  return new URL(url, globalThis.location?.href).host;
}

/**
 * What `Retry-After` asks for, in ms: it gives seconds or a date (RFC 9110, section 10.2.3).
 *
 * @param {string | null} header
 */
function pauseIn(header) {
  const pause = header === null ? NaN : /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(pause) ? null : Math.max(0, pause);
}
