/** Owns the page's words, in English and German, and which of the two is spoken. */

const KEPT = "tandem-demo language"; // in localStorage

const en = {
  lead: "Two partners answer one question a day. What one of them does, the other one sees at once.",
  whoAreYou: "Who are you?",
  iAm: "I am {name}",
  youAre: "You are {name}",
  openAs: "Open as {name}",
  elsewhere: "in a second window",
  signOut: "Sign out",
  language: "Language",
  theme: "Colours",
  themeAuto: "As the system",
  themeLight: "Light",
  themeDark: "Dark",
  question: "Question of the day",
  earlier: "An open question",
  backToToday: "Back to today's question",
  yourAnswer: "Your answer",
  send: "Answer",
  you: "{name} (you)",
  noAnswer: "No answer yet",
  trouble: "Make trouble",
  troubleLead:
    "Each of these really breaks something, and meanwhile things happen in your inbox that could be missed. " +
    "Then the page compares itself with the server.",
  cut: "Cut the socket",
  cutHint: "pulls the plug for a second",
  sleep: "Sleep for {seconds} s",
  sleepHint: "as with the lid closed",
  expire: "Expire the token",
  expireHint: "the gateway hangs up",
  restart: "Restart the gateway",
  restartHint: "it stays down for {seconds} s",
  slow: "Be a slow reader",
  slowHint: "this tab freezes, 2 MB wait",
  underWay: "{trouble}: under way …",
  reported: "{trouble}: missed {missed}, repeated {repeated}, whole again after {seconds} s.",
  failed: "{trouble}: {message}",
  wholeAgain: "whole again after {seconds} s",
  notWhole: "not whole after {seconds} s",
  missed: "missed",
  repeated: "repeated",
  dropped: "came again, dropped",
  attempts: "attempts to connect",
  code: "closed with",
  nothingHappened: "the gateway did not hang up",
  frames: "Frames",
  framesLead: "What the gateway sends, as it comes. Open one to read all of it.",
  leads: "this tab holds the socket",
  follows: "another tab holds the socket",
  pause: "Pause",
  goOn: "Go on ({count})",
  heartbeats: "Heartbeats",
  clear: "Clear",
  noFrames: "Nothing has come yet.",
  notice: "A notice, {number} of {count}",
  noticeBody: "It came while something was broken, and goes by itself.",
};

/** @type {typeof en} */
const de = {
  lead: "Zwei Partner beantworten eine Frage am Tag. Was die eine tut, sieht der andere sofort.",
  whoAreYou: "Wer bist du?",
  iAm: "Ich bin {name}",
  youAre: "Du bist {name}",
  openAs: "Als {name} öffnen",
  elsewhere: "in einem zweiten Fenster",
  signOut: "Abmelden",
  language: "Sprache",
  theme: "Farben",
  themeAuto: "Wie das System",
  themeLight: "Hell",
  themeDark: "Dunkel",
  question: "Frage des Tages",
  earlier: "Eine offene Frage",
  backToToday: "Zurück zur heutigen Frage",
  yourAnswer: "Deine Antwort",
  send: "Antworten",
  you: "{name} (du)",
  noAnswer: "Noch keine Antwort",
  trouble: "Ärger machen",
  troubleLead:
    "Jeder dieser Knöpfe macht wirklich etwas kaputt, und währenddessen geschieht im Eingang manches, was verloren " +
    "gehen könnte. Danach vergleicht sich die Seite mit dem Server.",
  cut: "Verbindung kappen",
  cutHint: "zieht für eine Sekunde den Stecker",
  sleep: "{seconds} s schlafen",
  sleepHint: "wie mit zugeklapptem Deckel",
  expire: "Token ablaufen lassen",
  expireHint: "das Gateway legt auf",
  restart: "Gateway neu starten",
  restartHint: "es bleibt {seconds} s lang weg",
  slow: "Langsam lesen",
  slowHint: "dieser Tab friert ein, 2 MB warten",
  underWay: "{trouble}: läuft …",
  reported: "{trouble}: verpasst {missed}, doppelt {repeated}, wieder vollständig nach {seconds} s.",
  failed: "{trouble}: {message}",
  wholeAgain: "wieder vollständig nach {seconds} s",
  notWhole: "nach {seconds} s nicht vollständig",
  missed: "verpasst",
  repeated: "doppelt",
  dropped: "kam nochmals, verworfen",
  attempts: "Verbindungsversuche",
  code: "beendet mit",
  nothingHappened: "das Gateway hat nicht aufgelegt",
  frames: "Frames",
  framesLead: "Was das Gateway sendet, so wie es kommt. Ein Klick zeigt alles.",
  leads: "dieser Tab hält die Verbindung",
  follows: "ein anderer Tab hält die Verbindung",
  pause: "Anhalten",
  goOn: "Weiter ({count})",
  heartbeats: "Herzschläge",
  clear: "Leeren",
  noFrames: "Noch ist nichts gekommen.",
  notice: "Eine Nachricht, {number} von {count}",
  noticeBody: "Sie kam, während etwas kaputt war, und verschwindet von selbst.",
};

/** @typedef {keyof typeof en} Key */

const LANGUAGES = { en, de };

/** @returns {keyof typeof LANGUAGES} */
export function language() {
  const kept = localStorage.getItem(KEPT) ?? navigator.language;
  return kept.startsWith("de") ? "de" : "en";
}

/**
 * @param {Key} key
 * @param {Record<string, string | number>} [values] what is put in for `{name}`
 */
export function say(key, values = {}) {
  return LANGUAGES[language()][key].replace(/\{(\w+)\}/g, (hole, name) => String(values[name] ?? hole));
}

/**
 * A number of seconds as people say it.
 *
 * @param {number} seconds
 */
export function seconds(seconds) {
  return new Intl.NumberFormat(language(), { minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(seconds);
}

/** Write the words of all elements with `data-say`, whose other data are the values. */
export function translate() {
  document.documentElement.lang = language();
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-say]"))) {
    const { say: key, ...values } = element.dataset;
    element.textContent = say(/** @type {Key} */ (key), /** @type {Record<string, string>} */ (values));
  }
}

/** @param {string} wish */
export function speak(wish) {
  localStorage.setItem(KEPT, wish);
  translate();
}
