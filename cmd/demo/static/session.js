import { ClosedError, connect, DisconnectedError, ServerError } from "/queuerun.js";

const retryAfter = 2000; // ms, when the server could not show the room

// Session is one user's stay: a connection that comes back by itself, and a copy
// of the room that is asked for again only when messages are lost.
//
// It dispatches
//   state    detail {state, code, reason, retryAt}, as the client does; online once the room is there
//   waiting  detail: the user's name; the room is asked for
//   room     detail: the room
//   message  detail: a message from the server
//   trouble  detail: what the server could not do, in its words
//   refused  detail: why the session is over
export class Session extends EventTarget {
  #client;
  #stale = true; // the page has no room, or one that lacks something
  #loading = false;
  #complaint = ""; // the last error that belongs to no request
  #over = false; // by the user's own wish

  constructor(name) {
    super();
    const client = (this.#client = connect("/socket", { auth: { name } }));
    client.addEventListener("state", (event) => this.#moved(event));
    client.addEventListener("connected", () => this.#load());
    // Lost, or out of the room for a moment: only the server knows what is now.
    for (const type of ["lost", "left"]) {
      client.addEventListener(type, () => {
        this.#stale = true;
        this.#load();
      });
    }
    client.addEventListener("message", ({ data }) => this.#dispatch("message", data));
    client.addEventListener("error", ({ error }) => {
      if (!(error instanceof ServerError)) return;
      this.#complaint = error.message;
      if (client.state === "online") this.#dispatch("trouble", error.message);
    });
  }

  get online() { return this.#client.state === "online"; }

  end() {
    this.#over = true;
    this.#client.close({ forget: true });
  }

  retry() { this.#client.reconnect(); }

  // deliver sends what has a ref and returns the answer, however long that takes and
  // over however many connections. It throws what the server says against it.
  async deliver(message) {
    for (;;) {
      try {
        return await this.#client.request(message, { timeout: 0 });
      } catch (error) {
        // It may have arrived; the server knows it by its ref.
        if (!(error instanceof DisconnectedError)) throw error;
      }
    }
  }

  // mention sends what is of no use later.
  mention(message) {
    if (this.online) this.#client.send(message);
  }

  async #load() {
    if (this.#loading) return;
    this.#loading = true;
    await null; // one event tells what several have to say
    while (this.#stale && this.online) {
      this.#stale = false;
      this.#dispatch("waiting", this.#client.user);
      try {
        this.#dispatch("room", await this.#client.request({ type: "enter" }));
      } catch (error) {
        this.#stale = true;
        if (error instanceof DisconnectedError || error instanceof ClosedError) break;
        this.#dispatch("trouble", error.message);
        await new Promise((resolve) => setTimeout(resolve, retryAfter));
      }
    }
    this.#loading = false;
    if (!this.#stale && this.online && !this.#over) this.#dispatch("state", { state: "online" });
  }

  #moved({ state, code, reason, retryAt }) {
    if (this.#over) return;
    if (state === "closed") {
      this.#dispatch("refused", this.#complaint || reason);
    } else if (state !== "online") {
      this.#dispatch("state", { state, code, reason, retryAt });
    }
  }

  #dispatch(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
