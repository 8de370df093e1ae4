import { Client, ClosedError, connect } from "../queuerun.js";
import { equal, of, ok, sleep, test, thrown, until } from "./kit.js";

test("a fresh connection", async (t) => {
  const client = t.client();
  equal([client.state, client.connection, client.user], ["closed", null, null]);
  client.connect();
  equal(client.state, "connecting");
  const server = await t.accept();
  equal(await server.receive(), { connect: {} });
  equal(client.state, "connecting");
  await server.send({ connected: { connection: "c7", user: "ada", at: { "": "u1", "*": "b1", "#room": "r1" }, heartbeat: 1000, timeout: 1000, maxMessage: 100 } });
  await until("it is online", () => client.state === "online");
  equal([client.connection, client.user, client.topics, client.url], ["c7", "ada", ["room"], t.url.replace("http", "ws")]);
  equal(client.log, [
    ["state", { state: "connecting", code: null, reason: "", retryAt: null }],
    ["state", { state: "online", code: null, reason: "", retryAt: null }],
    ["connected", { connection: "c7", user: "ada", channels: ["", "*", "#room"], lost: [] }],
    ["joined", { channel: "#room", topic: "room" }],
  ]);
  client.close();
  equal(await server.receive(), { closed: 1000 });
  equal([client.state, client.connection, client.user], ["closed", null, null]);
  equal(of(client, "state").at(-1), { state: "closed", code: 1000, reason: "closed by the application", retryAt: null });
  equal(of(client, "error"), []);
});

test("an anonymous connection has no user", async (t) => {
  const client = t.client().connect();
  const server = await t.accept();
  await server.send({ connected: { connection: "c1", at: { "*": "b1" } } });
  await until("it is online", () => client.state === "online");
  equal(client.user, null);
});

test("connect is a client on its way, and calling it again changes nothing", async (t) => {
  const { server: first, client } = await t.online();
  client.connect();
  const other = connect(t.url, { WebSocket: t.WebSocket, backoff: { base: 1 } });
  await t.welcome();
  await until("it is online", () => other.state === "online");
  other.close();
  await first.send({ data: 1 });
  await until("the first one has its message", () => of(client, "message").length === 1);
  equal(await t.attempts(), 2);
});

test("credentials are a value", async (t) => {
  for (const [auth, hello] of [
    ["secret", { connect: {}, text: "secret" }],
    [{ token: "secret" }, { connect: {}, data: { token: "secret" } }],
    [null, { connect: {}, data: null }],
  ]) {
    const { client, server } = await t.online({ auth });
    equal(server.hello, hello);
    client.close();
  }
});

test("credentials come from a function, anew for each connection", async (t) => {
  let calls = 0;
  const auth = async ({ signal, refused }) => {
    ok(!signal.aborted && refused === false, "the connection is wanted, and nothing was refused");
    await sleep(1);
    return { token: ++calls };
  };
  const { server } = await t.online({ auth });
  equal(server.hello, { connect: {}, data: { token: 1 } });
  await server.cut();
  const again = await t.welcome({ recovered: true });
  equal(again.hello.data, { token: 2 });
});

test("a function that cannot get credentials is asked again", async (t) => {
  let calls = 0;
  const auth = () => {
    if (++calls < 3) throw new Error("no network");
    return "secret";
  };
  const { client, server } = await t.online({ auth });
  equal(server.hello, { connect: {}, text: "secret" });
  await until("it is online", () => client.state === "online");
  equal(of(client, "error").map(({ error }) => error.message), ["no network", "no network"]);
  equal(await t.attempts(), 1);
});

test("whatever a function fails with, it is told and asked again", async (t) => {
  const closed = new ClosedError("of another client", { code: 1000 });
  for (const reason of [undefined, null, "", "no network", closed]) {
    let calls = 0;
    const auth = async () => {
      if (++calls === 1) throw reason;
      return "secret";
    };
    const { client } = await t.online({ auth });
    await until("it is online", () => client.state === "online");
    const errors = of(client, "error").map(({ error }) => error);
    equal(errors.length, 1, `errors for ${reason}`);
    ok(errors[0] === (reason ?? errors[0]) && errors[0] !== undefined && errors[0] !== null, `${reason} is told`);
    client.close();
  }
});

test("credentials that JSON does not have are an error, not none", async (t) => {
  let calls = 0;
  const odd = [() => "secret", 1n, new Uint8Array([1]), new Blob(["x"])];
  const { client, server } = await t.online({ auth: () => odd[calls++] ?? "secret" });
  equal(server.hello, { connect: {}, text: "secret" });
  await until("it is online", () => client.state === "online");
  equal(of(client, "error").map(({ error }) => error.name), odd.map(() => "TypeError"));
});

test("credentials that come too late are not those that were refused", async (t) => {
  const calls = [];
  const auth = () => new Promise((resolve) => calls.push(resolve));
  const client = t.client({ auth }).connect();
  await until("it is asked", () => calls.length === 1);
  client.reconnect();
  await until("it is asked again", () => calls.length === 2);
  calls[1]("stale");
  const server = await t.accept();
  equal((await server.receive()).text, "stale");
  await server.close(4401);
  await until("it is asked for others", () => calls.length === 3);
  calls[0]("fresh");
  await sleep(5);
  calls[2]("fresh");
  equal((await t.welcome()).hello.text, "fresh");
  await until("it is online", () => client.state === "online");
});

test("a function that hangs is told to stop, and what it says then is nobody's business", async (t) => {
  const calls = [];
  const auth = ({ signal }) => new Promise((resolve) => calls.push({ signal, resolve }));
  const client = t.client({ auth, connectTimeout: 30 }).connect();
  await until("it is asked again", () => calls.length === 2);
  ok(calls[0].signal.aborted, "the first call was told");
  calls[0].resolve("late");
  await sleep(5);
  client.close();
  ok(calls.every(({ signal }) => signal.aborted), "all calls were told");
  calls.at(-1).resolve("too late");
  await sleep(10);
  equal(await t.attempts(), 0);
});

test("credentials that were refused are replaced once", async (t) => {
  let calls = 0;
  const client = t.client({ auth: ({ refused }) => `${++calls} ${refused}` }).connect();
  const refuse = async (credentials) => {
    const server = await t.accept();
    equal((await server.receive()).text, credentials);
    await server.send({ error: "token expired" });
    await server.close(4401);
  };
  await refuse("1 false");
  const server = await t.accept();
  equal((await server.receive()).text, "2 true");
  await server.send({ connected: { connection: "c1", user: "ada", at: { "": "u1" } } });
  await until("it is online", () => client.state === "online");
  // Accepted once, it may be refused anew: the session was revoked.
  await server.close(4401);
  await refuse("3 true");
  await until("it is closed", () => client.state === "closed");
  await sleep(20);
  equal(await t.attempts(), 3);
  equal(of(client, "state").at(-1), { state: "closed", code: 4401, reason: "token expired", retryAt: null });
  const { error } = of(client, "error").at(-1);
  ok(error instanceof ClosedError && error.code === 4401, "the last error says it");
  // Somebody signs in.
  client.connect();
  equal((await t.welcome()).hello.text, "4 false");
});

test("credentials that are still the same are not sent again", async (t) => {
  for (const auth of [() => ({ token: 1 }), { token: 1 }, undefined]) {
    const before = await t.attempts();
    const client = t.client({ auth }).connect();
    const server = await t.accept();
    await server.close(4401, "unknown token");
    await until("it is closed", () => client.state === "closed");
    await sleep(10);
    equal([await t.attempts() - before, of(client, "state").at(-1).code], [1, 4401]);
  }
});

test("a function that renews a cookie yields nothing, and is tried once more", async (t) => {
  let renewed = 0;
  const client = t.client({ auth: async () => { renewed++; } }).connect();
  await (await t.accept()).close(4401);
  const server = await t.welcome();
  equal([renewed, server.hello], [2, { connect: {} }]);
  await until("it is online", () => client.state === "online");
});

test("options that make no sense are told at once", async (t) => {
  thrown(() => new Client({ url: "https://", WebSocket: class {} }), TypeError);
  if (!globalThis.location) thrown(() => new Client({ url: "/socket", WebSocket: class {} }), TypeError);
  const found = globalThis.WebSocket;
  try {
    globalThis.WebSocket = undefined;
    ok(thrown(() => new Client({ url: t.url }), Error).message.includes("WebSocket"), "the error says what is missing");
  } finally {
    globalThis.WebSocket = found;
  }
});

test("a server that speaks something else is left alone", async (t) => {
  // A browser's own WebSocket fails by itself.
  class Plain {
    readyState = 1;
    protocol = "";
    constructor() { setTimeout(() => this.onopen()); }
    send() { throw new Error("something was sent"); }
    close() { this.readyState = 3; }
  }
  const client = t.client({ WebSocket: Plain }).connect();
  await until("it is closed", () => client.state === "closed");
  equal(of(client, "state").at(-1), { state: "closed", code: 4400, reason: "the server does not speak queuerun.v1", retryAt: null });
});

test("a listener may close the client at any point", async (t) => {
  for (const type of ["state", "connected", "joined", "message"]) {
    const client = t.client();
    client.addEventListener(type, () => { if (client.state === "online") client.close(); });
    client.connect();
    const server = await t.accept();
    await server.send({ connected: { connection: "c1", at: { "": "u1", "#a": "a1", "#b": "b1" } } });
    await server.send({ data: 1 }).catch(() => {});
    await until("it is closed", () => client.state === "closed");
    await sleep(5);
    equal(client.log.at(-1), ["state", { state: "closed", code: 1000, reason: "closed by the application", retryAt: null }], type);
  }
});

test("a client may be closed before there is a connection", async (t) => {
  const asked = t.client({ auth: () => asked.close() }).connect();
  const told = t.client();
  told.addEventListener("state", () => told.close());
  told.connect();
  await until("they are closed", () => asked.state === "closed" && told.state === "closed");
  await sleep(10);
  equal(await t.attempts(), 0);
});

test("a client may be closed while its WebSocket connects", async (t) => {
  const client = t.client().connect();
  await Promise.resolve(); // the WebSocket is on its way
  client.close();
  await sleep(20);
  equal(client.log.map(([type, { state }]) => state ?? type), ["connecting", "closed"]);
});
