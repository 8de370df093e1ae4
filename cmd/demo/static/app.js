import { Chat } from "./chat.js";
import { Clock } from "./clock.js";
import { Members } from "./members.js";
import { Orders } from "./orders.js";
import { Pending } from "./pending.js";
import { Session } from "./session.js";
import { Status } from "./status.js";
import { Typing } from "./typing.js";
import { element, newRef } from "./format.js";

const byID = (id) => document.getElementById(id);
const parts = {
  chat: new Chat(),
  pending: new Pending(),
  typing: new Typing(),
  members: new Members(),
  orders: new Orders(),
  clock: new Clock(),
  status: new Status(),
};
let session = null;
let me = "";

// The name is kept for this tab alone: a reload stays signed in, and another
// tab may be someone else.
const stored = "queuerun demo name";

// What to do with each type of message from the server.
const receive = {
  chat(entry) {
    parts.chat.add(entry);
    parts.typing.stops(entry.name);
    if (entry.name === me) parts.pending.done(entry.ref);
  },
  joined(entry) {
    parts.chat.add(entry);
    parts.members.move(entry);
  },
  left(entry) {
    parts.chat.add(entry);
    parts.members.move(entry);
    parts.typing.stops(entry.name);
  },
  typing({ name }) {
    if (name !== me) parts.typing.types(name);
  },
  order: (report) => parts.orders.add(report),
  tick: ({ at }) => parts.clock.ticked(at),
};

// While the room is asked for, messages may come that are newer than it.
function awaitRoom(name) {
  me = name;
  sessionStorage.setItem(stored, name);
  byID("me").textContent = name;
  parts.chat.awaitRoom(name);
  parts.members.awaitRoom(name);
  parts.orders.awaitRoom();
}

function enter({ members, entries, menu, orders, tick }) {
  parts.members.enter(members, entries.at(-1)?.id ?? "0-0");
  parts.chat.enter(entries);
  for (const { name, ref } of entries) if (name === me) parts.pending.done(ref);
  parts.orders.enter(orders);
  parts.clock.ticked(tick);
  offer(menu);
  show("app");
}

function signIn(name) {
  session?.end();
  for (const part of Object.values(parts)) part.clear();
  session = new Session(name);
  const listen = (type, listener) => session.addEventListener(type, ({ detail }) => listener(detail));
  listen("state", (condition) => parts.status.set(condition));
  listen("waiting", awaitRoom);
  listen("room", enter);
  listen("message", (message) => receive[message.type]?.(message));
  listen("trouble", toast);
  listen("refused", refused);
  showButtons();
}

function signOut() {
  session?.end();
  session = null;
  for (const part of Object.values(parts)) part.clear();
  sessionStorage.removeItem(stored);
  showButtons();
  show("sign-in");
  byID("name").focus();
}

function refused(why) {
  byID("name").value ||= sessionStorage.getItem(stored) ?? "";
  signOut();
  byID("sign-in-error").textContent = sentence(why);
  byID("name").setAttribute("aria-invalid", "true");
}

byID("sign-in-form").addEventListener("submit", (event) => {
  event.preventDefault();
  byID("sign-in-error").textContent = "";
  byID("name").removeAttribute("aria-invalid");
  signIn(byID("name").value);
});

byID("sign-out").addEventListener("click", signOut);

byID("try-now").addEventListener("click", () => session.retry());

byID("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = byID("text");
  if (text.value.trim() === "") return;
  const line = { type: "chat", ref: newRef(), text: text.value };
  text.value = "";
  text.focus();
  parts.typing.sent();
  parts.pending.add(line.ref, line.text);
  parts.chat.toEnd();
  say(line);
});

// say sends a line, as soon as there is a connection.
async function say(line) {
  const mine = session;
  try {
    const entry = await mine.deliver(line);
    if (session === mine) receive.chat(entry);
  } catch (error) {
    if (session !== mine) return; // signed out meanwhile
    parts.pending.refused(line.ref, sentence(error.message), () => say(line));
    parts.chat.toEnd();
  }
}

byID("text").addEventListener("keydown", (event) => {
  // Enter sends, with Shift it begins a new line. While an input method is
  // composing, Enter belongs to it.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  byID("say").requestSubmit();
});

byID("text").addEventListener("input", () => {
  if (byID("text").value.trim() !== "") parts.typing.mention(() => session.mention({ type: "typing" }));
});

byID("order").addEventListener("submit", async (event) => {
  event.preventDefault();
  const mine = session;
  placing = true;
  showButtons();
  try {
    const report = await mine.deliver({ type: "order", ref: newRef(), item: byID("item").value });
    if (session === mine) parts.orders.add(report);
  } catch (error) {
    if (session === mine) toast(error.message);
  } finally {
    placing = false;
    showButtons();
  }
});

// show switches between the views "sign-in" and "app".
function show(view) {
  byID("sign-in").hidden = view !== "sign-in";
  byID("app").hidden = view !== "app";
}

let placing = false; // an order whose answer is awaited

// A line may wait for the connection; an order should be answered at once.
function showButtons() {
  const { state } = parts.status;
  byID("order").querySelector("button").disabled = state !== "online" || placing;
  byID("sign-in-form").querySelector("button").disabled = session !== null && state === "connecting";
}

parts.status.addEventListener("change", () => {
  showButtons();
  parts.pending.connected(parts.status.state === "online");
});

function offer(menu) {
  const item = byID("item");
  const chosen = item.value;
  item.replaceChildren(...menu.map((name) => new Option(name)));
  if (menu.includes(chosen)) item.value = chosen;
}

function toast(text) {
  const box = element("div", "toast");
  const close = element("button", "quiet", "Dismiss");
  close.type = "button";
  close.addEventListener("click", () => box.remove());
  box.append(element("p", "", sentence(text)), close);
  byID("toasts").append(box);
  setTimeout(() => box.remove(), 8000);
}

// sentence makes one of an error as Go writes it.
function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (text.endsWith(".") ? "" : ".");
}

const name = sessionStorage.getItem(stored);
if (name === null) {
  show("sign-in");
  byID("name").focus();
} else {
  show("app");
  byID("me").textContent = name;
  signIn(name);
}
