// Connection keeps one WebSocket open for as long as a user is signed in. When
// it is lost, it waits and tries again, each time a little longer.
//
// It dispatches
//   state    detail {state, meaning, retryAt}: signed out, connecting, online or waiting
//   message  detail: a message from the server, once signed in
//   refused  detail: why the user was signed out; nothing is tried again
export class Connection extends EventTarget {
  #name = null; // null while signed out
  #socket = null;
  #welcomed = false; // this socket
  #known = false; // the server has accepted this name before
  #ready = false; // online was called for this socket
  #failures = 0;
  #timer = 0;

  constructor() {
    super();
    // The browser knows before any time-out does.
    addEventListener("online", () => this.retry());
    addEventListener("offline", () => {
      if (this.#socket) this.#comeBack("This device is offline.", "later");
    });
  }

  signIn(name) {
    this.signOut();
    this.#name = name;
    this.#known = false;
    this.#failures = 0;
    this.#open();
  }

  signOut() {
    this.#name = null;
    clearTimeout(this.#timer);
    this.#drop();
    this.#state("signed out");
  }

  // retry ends the wait before the next attempt.
  retry() {
    if (this.#name === null || this.#socket) return;
    clearTimeout(this.#timer);
    this.#open();
  }

  // online is called when the page has what it needs to be shown.
  online() {
    this.#ready = true;
    this.#failures = 0;
    this.#state("online");
  }

  // send returns whether the message was handed to an open socket.
  send(message) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  #open() {
    this.#state("connecting");
    const url = new URL("/socket", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url);
    this.#socket = socket;
    this.#welcomed = false;
    this.#ready = false;
    // An event of a socket that was dropped since is nobody's business.
    const current = (handle) => (event) => {
      if (this.#socket === socket) handle(event);
    };
    socket.onopen = current(() => this.send({ type: "signin", name: this.#name }));
    socket.onmessage = current((event) => this.#receive(JSON.parse(event.data)));
    socket.onclose = current((event) => this.#closed(event));
  }

  #receive(message) {
    if (message.type === "welcome") {
      this.#welcomed = true;
      this.#known = true;
    }
    if (message.error && !this.#welcomed && !this.#known) {
      this.signOut();
      this.#dispatch("refused", message.error);
      return;
    }
    this.#dispatch("message", message);
    if (message.error && !this.#ready) this.#comeBack("The server could not show the room.", "later");
  }

  #closed(event) {
    const [meaning, when] = explain(event);
    if (when !== "never") {
      this.#comeBack(meaning, when);
      return;
    }
    this.signOut();
    this.#dispatch("refused", meaning);
  }

  #comeBack(meaning, when) {
    this.#drop();
    const wait = when === "now" && this.#failures === 0 ? 0 : backoff(this.#failures);
    this.#failures++;
    this.#timer = setTimeout(() => this.#open(), wait);
    this.#state("waiting", meaning, Date.now() + wait);
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #state(state, meaning = "", retryAt = 0) {
    this.#dispatch("state", { state, meaning, retryAt });
  }

  #dispatch(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

// backoff returns how many milliseconds to wait after so many failures in a
// row: half a second at first, doubling up to 15 s, spread at random so that a
// server that restarts is not met by all pages at once.
function backoff(failures) {
  const most = Math.min(15_000, 500 * 2 ** failures);
  return most * (0.5 + Math.random() / 2);
}

// What a close code means, and whether to come back: later, at once, or never,
// when the same attempt would only fail again.
const codes = new Map([
  [1000, ["The server ended this session.", "never"]],
  [1001, ["The server is going away.", "later"]],
  [1005, ["The connection was closed.", "later"]],
  [1006, ["The connection was lost.", "later"]],
  [1007, ["A message was not valid text.", "never"]],
  [1009, ["A message was too long for the server.", "never"]],
  [1011, ["The server had a problem.", "later"]],
  [1012, ["The server is restarting.", "later"]],
  [1013, ["The server is busy.", "later"]],
  [4000, ["Some messages were missed.", "now"]],
  [4001, ["Messages came faster than this page could take them.", "now"]],
  [4401, ["The server did not accept the name.", "never"]],
  [4408, ["Signing in took too long.", "never"]],
]);

// explain says what a close event means and when to come back.
function explain({ code }) {
  const known = codes.get(code);
  if (known) return known;
  return [`The connection was closed with code ${code}.`, code >= 4000 && code < 4100 ? "now" : "never"];
}
