/** Owns the words, in English and German. Each can be replaced; `{name}` in a phrase is put in. */

/** @typedef {string | ({other: string} & Partial<Record<Intl.LDMLPluralRule, string>>)} Phrase by number, if need be */
/** @typedef {Record<string, string | number>} Values */
/** @typedef {keyof typeof en} Key */
/** @typedef {(key: Key, values?: Values) => string} Say */

const en = {
  title: "Inbox",
  unread: /** @type {Phrase} */ ({ other: "{count} unread" }),
  filter: "Show",
  all: "All",
  onlyUnread: "Unread",
  markAllRead: "Mark all as read",
  markRead: "Mark as read",
  remove: "Delete",
  undo: "Undo",
  dismiss: "Dismiss",
  isUnread: "Unread:",
  answered: "{sender} answered: {question}",
  suggestion: "Waiting for your answer",
  answer: "Answer",
  keys: "Arrow keys move between the entries, Enter opens one, Delete deletes it.",
  fresh: /** @type {Phrase} */ ({ other: "{count} new" }),
  loading: "Loading your inbox",
  more: "Show more",
  loadingMore: "Loading more",
  end: "That is everything.",
  emptyTitle: "Nothing here yet",
  emptyText: "As soon as your partner answers a question, you can read it here. There is no need to reload.",
  caughtUpTitle: "You have read everything",
  caughtUpText: "What comes next will be here by itself.",
  showAll: "Show all",
  unreachableTitle: "Your inbox is out of reach",
  unreachableText: "It will be here as soon as you are connected again.",
  live: "Live",
  connecting: "Connecting",
  reconnecting: "Reconnecting",
  offline: "Offline",
  stopped: "Disconnected",
  waiting: /** @type {Phrase} */ ({ one: "1 change waits", other: "{count} changes wait" }),
  lost: "The connection is lost. What you do now is kept and sent when it is back.",
  back: "Connected again.",
  news: /** @type {Phrase} */ ({ one: "New: {title}", other: "{count} new items" }),
  wasRead: "Marked as read.",
  allWereRead: "All marked as read.",
  removed: "Deleted: {title}",
  canUndo: "Control and Z undoes it.",
  restored: "Back again: {title}",
  problem: "That did not work: {message}",
};

/** @type {typeof en} */
const de = {
  title: "Eingang",
  unread: { other: "{count} ungelesen" },
  filter: "Anzeigen",
  all: "Alle",
  onlyUnread: "Ungelesen",
  markAllRead: "Alle als gelesen markieren",
  markRead: "Als gelesen markieren",
  remove: "Löschen",
  undo: "Rückgängig",
  dismiss: "Schließen",
  isUnread: "Ungelesen:",
  answered: "{sender} hat geantwortet: {question}",
  suggestion: "Wartet auf deine Antwort",
  answer: "Antworten",
  keys: "Die Pfeiltasten führen von Eintrag zu Eintrag, die Eingabetaste öffnet einen, Entfernen löscht ihn.",
  fresh: { one: "1 neuer", other: "{count} neue" },
  loading: "Dein Eingang wird geladen",
  more: "Mehr anzeigen",
  loadingMore: "Mehr wird geladen",
  end: "Das ist alles.",
  emptyTitle: "Noch nichts da",
  emptyText: "Sobald du eine Antwort bekommst, kannst du sie hier lesen. Neu laden ist nicht nötig.",
  caughtUpTitle: "Du hast alles gelesen",
  caughtUpText: "Was als Nächstes kommt, erscheint hier von selbst.",
  showAll: "Alle anzeigen",
  unreachableTitle: "Dein Eingang ist nicht erreichbar",
  unreachableText: "Er ist da, sobald du wieder verbunden bist.",
  live: "Live",
  connecting: "Verbinden",
  reconnecting: "Verbindung wird gesucht",
  offline: "Offline",
  stopped: "Getrennt",
  waiting: { one: "1 Änderung wartet", other: "{count} Änderungen warten" },
  lost: "Die Verbindung ist weg. Was du jetzt tust, wird aufgehoben und gesendet, sobald sie wieder da ist.",
  back: "Wieder verbunden.",
  news: { one: "Neu: {title}", other: "{count} neue Einträge" },
  wasRead: "Als gelesen markiert.",
  allWereRead: "Alle als gelesen markiert.",
  removed: "Gelöscht: {title}",
  canUndo: "Steuerung und Z macht es rückgängig.",
  restored: "Wieder da: {title}",
  problem: "Das ging nicht: {message}",
};

const SHIPPED = new Map(Object.entries({ en, de }));

/**
 * The language that a `lang` attribute names; English if that names none.
 * @param {string | null | undefined} tag
 */
export function languageOf(tag) {
  try {
    return Intl.getCanonicalLocales(tag || "en")[0];
  } catch {
    return "en"; // what stands in an attribute is no reason to show nothing
  }
}

/**
 * What is said in a language: `say("unread", { count: 3 })`.
 * @param {string} language as in `lang`; English speaks for one that is not shipped
 * @param {Partial<Record<Key, Phrase>>} replaced what is said otherwise
 * @returns {Say}
 */
export function speaker(language, replaced) {
  const phrases = { ...(SHIPPED.get(language.toLowerCase().split("-")[0]) ?? en), ...replaced };
  const plural = new Intl.PluralRules(language);
  return (key, values = {}) => {
    const phrase = phrases[key];
    const text = typeof phrase === "string" ? phrase : phrase[plural.select(Number(values.count))] ?? phrase.other;
    return text.replace(/\{(\w+)\}/g, (hole, name) => String(values[name] ?? hole));
  };
}
