// What the tests of the client are made of: tests, clients that end with them, and
// the script on the other side, which is told over HTTP what to do.
import { Client } from "../queuerun.js";

const tests = [];
let environment; // {origin, WebSocket}
let count = 0;

export function test(name, body) {
  tests.push({ name, body });
}

// run runs all tests that were declared, and returns [{name, error}].
export async function run(given) {
  environment = given;
  const results = [];
  for (const { name, body } of tests) {
    const t = new Test();
    let error = "";
    try {
      await within(15_000, body(t));
    } catch (thrown) {
      error = thrown?.stack ?? String(thrown);
      if (!error.includes(thrown?.message)) error = `${thrown.message}\n${error}`;
    }
    t.end();
    if (error) error += `\nevents: ${JSON.stringify(t.logs, null, 1)}`;
    results.push({ name, error });
  }
  return results;
}

// Test is one test's endpoint at the script, and its clients.
class Test {
  #path = `t${++count}`;
  #clients = [];
  #random = Math.random;
  logs = [];

  get url() { return `${environment.origin}/socket/${this.#path}`; }
  get WebSocket() { return environment.WebSocket; }

  // client returns a client of this endpoint that has not begun to connect. Its log
  // has all its events of these types, as [type, fields], its waits how long it went
  // offline for.
  client(options = {}, types = ["state", "connected", "lost", "joined", "left", "message", "error"]) {
    const client = new Client({ url: this.url, WebSocket: environment.WebSocket, backoff: { base: 1, max: 1 }, ...options });
    client.log = [];
    client.waits = [];
    client.addEventListener("state", ({ retryAt }) => retryAt && client.waits.push(retryAt - Date.now()));
    for (const type of types) {
      client.addEventListener(type, (event) => {
        const { isTrusted, ...fields } = event; // in browsers it is the event's own
        client.log.push([type, fields]);
      });
    }
    this.#clients.push(client);
    this.logs.push(client.log);
    return client;
  }

  // online returns a client that is connected, and the script's connection to it.
  async online(options, connected) {
    const client = this.client(options).connect();
    return { client, server: await this.welcome(connected) };
  }

  // welcome accepts the next connection, and tells what the client said in .hello.
  async welcome(connected = {}) {
    const server = await this.accept();
    server.hello = await server.receive();
    await server.send({ connected: { ...standard, ...connected } });
    return server;
  }

  async accept() {
    return new Connection(await command({ do: "accept", path: this.#path }));
  }

  // refuse answers the next attempts with an HTTP status; 0 lets them in.
  refuse(status) {
    return command({ do: "refuse", path: this.#path, status });
  }

  attempts() {
    return command({ do: "attempts", path: this.#path });
  }

  // chance makes the next random numbers this one, until the test ends.
  chance(number) {
    Math.random = () => number;
  }

  end() {
    Math.random = this.#random;
    for (const client of this.#clients) client.close();
  }
}

const standard = { connection: "c1", user: "ada", at: { "": "u0", "*": "b0" }, heartbeat: 25_000, timeout: 10_000, maxMessage: 65_536 };

// Connection is the server's end of one.
class Connection {
  #number;

  constructor(number) {
    this.#number = number;
  }

  // receive returns the next frame of the client: an object, {header, bytes} of a
  // binary one, {closed: code} of the end.
  async receive() {
    const { text, binary, closed } = await this.#do("receive");
    if (closed) return { closed };
    if (text) return JSON.parse(text);
    const bytes = Uint8Array.from(atob(binary), (c) => c.charCodeAt(0));
    const end = bytes.indexOf(10);
    return { header: JSON.parse(new TextDecoder().decode(bytes.slice(0, end))), bytes: [...bytes.slice(end + 1)] };
  }

  // send sends a frame: a text as it is, an object as JSON, with bytes as a binary
  // one.
  send(frame, bytes) {
    const text = typeof frame === "string" ? frame : JSON.stringify(frame);
    if (!bytes) return this.#do("send", { text });
    const header = new TextEncoder().encode(text + "\n");
    return this.#do("send", { binary: btoa(String.fromCharCode(...header, ...bytes)) });
  }

  close(code, reason = "") { return this.#do("close", { code, reason }); }
  cut() { return this.#do("cut"); }

  #do(what, fields) {
    return command({ do: what, connection: this.#number, ...fields });
  }
}

async function command(fields) {
  const response = await fetch(`${environment.origin}/control`, { method: "POST", body: JSON.stringify(fields) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${JSON.stringify(fields)}: ${text}`);
  return JSON.parse(text);
}

// ---------------------------------------------------------------- what is true

// until waits for a condition.
export async function until(what, condition) {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await sleep(2);
  }
}

export function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

export function equal(got, want, what = "got") {
  const [a, b] = [canonical(got), canonical(want)];
  if (a !== b) throw new Error(`${what} ${a}, want ${b}`);
}

export function ok(condition, what) {
  if (!condition) throw new Error(`it is not true that ${what}`);
}

// near allows for the clock to have moved on a bit.
export function near(got, want, what) {
  if (!(got <= want && got > want - 100)) throw new Error(`${what} is ${got}, want ${want}`);
}

// handled returns the promise, which may be rejected before anybody looks at it.
export function handled(promise) {
  promise.catch(() => {});
  return promise;
}

// rejected returns what a promise is rejected with.
export async function rejected(promise, type) {
  let value;
  try {
    value = await within(10_000, promise);
  } catch (error) {
    ok(error instanceof type, `${error.name} "${error.message}" is a ${type.name}`);
    return error;
  }
  throw new Error(`it was not rejected but gave ${canonical(value)}`);
}

export function thrown(body, type) {
  try {
    body();
  } catch (error) {
    ok(error instanceof type, `${error.name} "${error.message}" is a ${type.name}`);
    return error;
  }
  throw new Error("nothing was thrown");
}

// of returns what the client's log has of one type.
export function of(client, type) {
  return client.log.filter(([name]) => name === type).map(([, fields]) => fields);
}

// received returns the data of all messages.
export function received(client) {
  return of(client, "message").map(({ data }) => data);
}

// uncaught waits for an error that nobody has caught, and calms the platform.
export function uncaught() {
  return new Promise((resolve) => {
    if (globalThis.process?.once) {
      process.once("uncaughtException", resolve);
      return;
    }
    const listener = (event) => {
      event.preventDefault();
      resolve(event.error);
    };
    addEventListener("error", listener, { once: true });
  });
}

// canonical writes a value with the names of objects in order.
function canonical(value) {
  if (value instanceof Uint8Array) return `bytes ${[...value]}`;
  return JSON.stringify(value, (_, v) =>
    v && typeof v === "object" && !Array.isArray(v) ? Object.fromEntries(Object.entries(v).sort()) : v) ?? "undefined";
}

async function within(milliseconds, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came of it within ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
