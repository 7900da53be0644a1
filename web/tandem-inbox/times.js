/** Owns saying when: near times as a distance, far ones as a date, in the reader's language and time zone. */

const MINUTE = 60_000; // ms
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const DAYS_NAMED = 7; // "3 days ago" is still easy to picture; what is older is a date

/** Coarse enough to be cheap, fine enough that "1 min. ago" is never said of something much older. In ms. */
export const TICK = 20_000;

/**
 * @typedef {object} Teller
 * @property {(at: Date, now: Date) => string} near "5 min. ago", "yesterday", "3 Mar"
 * @property {(at: Date, now: Date) => string} day the same for a whole day
 * @property {(at: Date) => string} full date and time
 */

/**
 * @param {string} language
 * @returns {Teller}
 */
export function teller(language) {
  const distance = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
  const thisYear = new Intl.DateTimeFormat(language, { day: "numeric", month: "short" });
  const anyYear = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", year: "numeric" });
  const exact = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "short" });

  /** @type {(at: Date, now: Date) => string} */
  function day(at, now) {
    const ago = Math.round((midnight(now) - midnight(at)) / DAY); // rounded: a day may have 23 or 25 hours
    if (Math.abs(ago) < DAYS_NAMED) {
      return distance.format(-ago, "day");
    }
    return (at.getFullYear() === now.getFullYear() ? thisYear : anyYear).format(at);
  }

  /** @type {(at: Date, now: Date) => string} */
  function near(at, now) {
    const ago = Math.max(0, now.getTime() - at.getTime()); // clocks differ: nothing comes from the future
    if (ago < MINUTE) {
      return distance.format(0, "second");
    }
    if (ago < HOUR) {
      return distance.format(-Math.floor(ago / MINUTE), "minute");
    }
    return midnight(at) === midnight(now) ? distance.format(-Math.floor(ago / HOUR), "hour") : day(at, now);
  }

  return { near, day, full: (at) => exact.format(at) };
}

/**
 * A day without a time, "2026-11-23", which is that day wherever one is.
 * @param {string} date
 */
export function dayOf(date) {
  const [year, month, day] = date.split("-").map(Number);
  return new Date(year, month - 1, day);
}

/** @param {Date} at */
function midnight(at) {
  return new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime();
}
