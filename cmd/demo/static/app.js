import { Chat } from "./chat.js";
import { Clock } from "./clock.js";
import { Connection } from "./connection.js";
import { Members } from "./members.js";
import { Orders } from "./orders.js";
import { element } from "./format.js";

const byID = (id) => document.getElementById(id);
const parts = { chat: new Chat(), members: new Members(), orders: new Orders(), clock: new Clock() };
const connection = new Connection();

// The name is kept for this tab alone: a reload stays signed in, and another
// tab may be someone else.
const stored = "queuerun demo name";

// What to do with each type of message from the server.
const receive = {
  welcome({ name }) {
    sessionStorage.setItem(stored, name);
    byID("me").textContent = name;
    parts.chat.welcome(name);
    parts.members.welcome(name);
    parts.orders.welcome();
    connection.send({ type: "enter" });
  },
  room({ members, entries, menu, orders, tick }) {
    parts.members.enter(members, entries.at(-1)?.id ?? "0-0");
    parts.chat.enter(entries);
    parts.orders.enter(orders);
    parts.clock.ticked(tick);
    offer(menu);
    show("app");
    connection.online();
  },
  chat: (entry) => parts.chat.add(entry),
  joined(entry) {
    parts.chat.add(entry);
    parts.members.move(entry);
  },
  left(entry) {
    parts.chat.add(entry);
    parts.members.move(entry);
  },
  order: (report) => parts.orders.add(report),
  tick: ({ at }) => parts.clock.ticked(at),
};

connection.addEventListener("message", ({ detail: message }) => {
  if (message.error) toast(message.error);
  else receive[message.type]?.(message);
});

connection.addEventListener("refused", ({ detail: why }) => {
  byID("name").value ||= sessionStorage.getItem(stored) ?? "";
  sessionStorage.removeItem(stored);
  show("sign-in");
  byID("sign-in-error").textContent = sentence(why);
  byID("name").setAttribute("aria-invalid", "true");
  byID("name").focus();
});

connection.addEventListener("state", ({ detail }) => showState(detail));

byID("sign-in-form").addEventListener("submit", (event) => {
  event.preventDefault();
  byID("sign-in-error").textContent = "";
  byID("name").removeAttribute("aria-invalid");
  for (const part of Object.values(parts)) part.clear();
  connection.signIn(byID("name").value);
});

byID("sign-out").addEventListener("click", () => {
  connection.signOut();
  sessionStorage.removeItem(stored);
  for (const part of Object.values(parts)) part.clear();
  show("sign-in");
  byID("name").focus();
});

byID("try-now").addEventListener("click", () => connection.retry());

byID("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = byID("text");
  if (text.value.trim() === "") return;
  if (connection.send({ type: "chat", text: text.value })) text.value = "";
  text.focus();
});

byID("text").addEventListener("keydown", (event) => {
  // Enter sends, with Shift it begins a new line. While an input method is
  // composing, Enter belongs to it.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  byID("say").requestSubmit();
});

byID("order").addEventListener("submit", (event) => {
  event.preventDefault();
  connection.send({ type: "order", item: byID("item").value });
});

// show switches between the views "sign-in" and "app".
function show(view) {
  byID("sign-in").hidden = view !== "sign-in";
  byID("app").hidden = view !== "app";
}

let countdown = 0;

function showState({ state, meaning, retryAt }) {
  const texts = { connecting: "Connecting", online: "Online", waiting: "Reconnecting", "signed out": "Signed out" };
  byID("connection").dataset.state = state;
  byID("connection-text").textContent = texts[state];
  for (const id of ["say", "order"]) {
    for (const control of byID(id).elements) {
      // What is being typed stays; only sending waits for the connection.
      if (control.type === "submit") control.disabled = state !== "online";
    }
  }
  byID("sign-in-form").querySelector("button").disabled = state === "connecting";
  showTrouble({ state, meaning, retryAt });
}

// showTrouble says why the connection was lost and when it is tried again. It
// stays until the page is online, so that it does not flicker.
function showTrouble({ state, meaning, retryAt }) {
  clearInterval(countdown);
  const retry = (text) => {
    byID("trouble-retry").textContent = text;
    if (!byID("sign-in").hidden) byID("sign-in-error").textContent = `${byID("trouble-meaning").textContent} ${text}`;
  };
  if (state === "waiting") {
    byID("trouble").hidden = false;
    byID("trouble-meaning").textContent = meaning;
    const tell = () => retry(`Trying again in ${Math.max(0, Math.ceil((retryAt - Date.now()) / 1000))} s.`);
    tell();
    countdown = setInterval(tell, 500);
  } else if (state === "connecting" && !byID("trouble").hidden) {
    retry("Trying again now.");
  } else {
    byID("trouble").hidden = true;
  }
}

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
  connection.signIn(name);
}
