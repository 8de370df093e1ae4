const byID = (id) => document.getElementById(id);

const patience = 1000; // ms without a connection that nobody needs to be told of

const names = { connecting: "Connecting", online: "Online", offline: "Offline" };

// What a close code means to who reads the page. Of others the server says why.
const meanings = new Map([
  [1001, "The server is going away."],
  [1006, "The connection was lost."],
  [1011, "The server had a problem."],
  [1012, "The server is restarting."],
  [1013, "The server is busy."],
  [4001, "Messages came faster than this page could take them."],
]);

// Status shows whether the page is connected, and when it is not, why, and when it
// tries again. It dispatches change when it may show another state.
export class Status extends EventTarget {
  #now = { state: "connecting" };
  #downSince = 0; // 0 while online, and before the first connection
  #timer = 0;

  // state is what is shown: connecting, online or offline.
  get state() { return navigator.onLine ? this.#now.state : "offline"; }

  constructor() {
    super();
    // The browser knows before any time-out does.
    for (const type of ["online", "offline"]) addEventListener(type, () => this.#show());
  }

  // set takes the detail of a session's state event.
  set(condition) {
    // While it tries, the page still says why it has to.
    const { code, reason } = condition.state === "connecting" ? this.#now : condition;
    this.#now = { ...condition, code, reason };
    this.#show();
  }

  clear() {
    this.#now = { state: "connecting" };
    this.#downSince = 0;
    this.#show();
  }

  // trouble is why there is no connection, and what is done about it: "" while
  // there is one.
  #trouble() {
    const { state, code, reason, retryAt } = this.#now;
    if (!navigator.onLine) return ["This device is offline.", "It goes on by itself when the network is back."];
    if (state === "online" || !code) return ["", ""];
    const why = meanings.get(code) ?? `The server closed the connection: ${reason || `code ${code}`}.`;
    if (state === "connecting") return [why, "Trying again now."];
    return [why, `Trying again in ${Math.max(0, Math.ceil((retryAt - Date.now()) / 1000))} s.`];
  }

  #show() {
    clearInterval(this.#timer);
    const [why, what] = this.#trouble();
    byID("connection").dataset.state = this.state;
    byID("connection-text").textContent = names[this.state];
    this.#downSince = why === "" ? 0 : this.#downSince || Date.now();
    const told = why !== "" && (Date.now() - this.#downSince >= patience || !navigator.onLine);
    byID("trouble").hidden = !told;
    byID("trouble-meaning").textContent = why;
    byID("trouble-retry").textContent = what;
    byID("try-now").hidden = !navigator.onLine;
    if (told && !byID("sign-in").hidden) byID("sign-in-error").textContent = `${why} ${what}`;
    if (why !== "") this.#timer = setInterval(() => this.#show(), 500);
    this.dispatchEvent(new Event("change"));
  }
}
