// What several parts of the page have in common: how names and times look.

const time = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const timeWithSeconds = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

// element returns a new element of a class with a text. The text is never read
// as HTML.
export function element(tag, className = "", text = "") {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text) e.textContent = text;
  return e;
}

// timeElement returns a <time> for an RFC 3339 string: the time of day, with
// the date before it when that is not today's.
export function timeElement(at, { seconds = false } = {}) {
  const date = new Date(at);
  const e = element("time");
  e.dateTime = at;
  e.title = full.format(date);
  e.textContent = (seconds ? timeWithSeconds : time).format(date);
  if (date.toDateString() !== new Date().toDateString()) e.prepend(`${day.format(date)}, `);
  return e;
}

// avatar returns a disc with the name's first letter, in a colour that depends
// on the name alone.
export function avatar(name) {
  const e = element("span", "avatar", [...name][0].toUpperCase());
  let hash = 0;
  for (const c of name) hash = (hash * 31 + c.codePointAt(0)) % 360;
  e.style.setProperty("--hue", hash);
  e.setAttribute("aria-hidden", "true");
  return e;
}

// compareIDs orders the ids that Redis gives to entries: "milliseconds-number".
export function compareIDs(a, b) {
  const [ms, n] = a.split("-").map(Number);
  const [otherMs, otherN] = b.split("-").map(Number);
  return ms - otherMs || n - otherN;
}

// newRef returns a name for what the user says or orders, which nobody else will
// make up.
export function newRef() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return [...bytes].map((byte) => (byte % 36).toString(36)).join("").toUpperCase();
}
