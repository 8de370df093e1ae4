import { BufferFullError, ClosedError, TooBigError } from "../queuerun.js";
import { equal, handled, of, ok, rejected, test, thrown, until } from "./kit.js";

test("what is sent before the connection is accepted waits for it, in order", async (t) => {
  const client = t.client();
  thrown(() => client.send("nobody will connect"), ClosedError);
  client.connect();
  client.send("one");
  client.send(new Uint8Array([2]));
  const changed = { three: 3 };
  client.send(changed);
  changed.three = "too late";
  const server = await t.accept();
  equal(await server.receive(), { connect: {} });
  client.send("four");
  equal(client.buffered, 4);
  // What a listener sends is newer.
  client.addEventListener("connected", () => client.send("five"));
  client.addEventListener("state", ({ state }) => { if (state === "online") client.send("and a half"); });
  await server.send({ connected: { connection: "c1" } });
  equal(await server.receive(), { text: "one" });
  equal(await server.receive(), { header: {}, bytes: [2] });
  equal(await server.receive(), { data: { three: 3 } });
  equal(await server.receive(), { text: "four" });
  equal(await server.receive(), { text: "and a half" });
  equal(await server.receive(), { text: "five" });
  equal(client.buffered, 0);
});

test("so many messages wait and no more", async (t) => {
  const client = t.client({ buffer: { messages: 3 } }).connect();
  const waiting = handled(client.request("waiting", { timeout: 0 }));
  client.send("two");
  client.send("three");
  thrown(() => client.send("four"), BufferFullError);
  await rejected(client.request("five"), BufferFullError);
  equal(client.buffered, 3);
  const server = await t.welcome();
  const { id } = await server.receive();
  await server.send({ id });
  await waiting;
  // Online there is no number to reach.
  for (let i = 0; i < 10; i++) client.send(i);
});

test("so many bytes wait and no more", async (t) => {
  // {"text":"aaaaaaaaaa"} has 21 bytes, {"text":"ääääää"} 23.
  const client = t.client({ buffer: { bytes: 44 } }).connect();
  client.send("aaaaaaaaaa");
  thrown(() => client.send("äääääää"), BufferFullError);
  client.send("ääääää");
  thrown(() => client.send(""), BufferFullError);
  const server = await t.welcome();
  equal(await server.receive(), { text: "aaaaaaaaaa" });
  equal(await server.receive(), { text: "ääääää" });
  await until("it is online", () => client.state === "online");
  await server.cut();
  await until("it is offline", () => client.state !== "online");
  client.send("aaaaaaaaaa");
  client.send("ääääää");
});

test("bytes that the connection has not taken yet count too", async (t) => {
  // This one takes nothing.
  class Stalled {
    readyState = 1;
    protocol = "queuerun.v1";
    bufferedAmount = 0;
    constructor() {
      setTimeout(() => {
        this.onopen();
        this.bufferedAmount = 0;
        this.onmessage({ data: `{"connected":{"connection":"c1"}}` });
      });
    }
    send(frame) { this.bufferedAmount += frame.length; }
    close() { this.readyState = 3; }
  }
  const client = t.client({ WebSocket: Stalled, buffer: { bytes: 100 } }).connect();
  await until("it is online", () => client.state === "online");
  client.send("x".repeat(200)); // one goes however large it is
  thrown(() => client.send("next"), BufferFullError);
  await rejected(client.request("next"), BufferFullError);
});

test("what is too big for the server never leaves", async (t) => {
  const client = t.client().connect();
  client.send("x".repeat(40)); // nobody knows the limit yet
  const waiting = handled(client.request("y".repeat(40)));
  client.send("small");
  const server = await t.welcome({ maxMessage: 40 });
  equal((await rejected(waiting, TooBigError)).limit, 40);
  equal(await server.receive(), { text: "small" });
  equal(of(client, "error").map(({ error }) => error.name), ["TooBigError"]);
  client.send("x".repeat(29)); // {"text":"…"} has 11 bytes more
  thrown(() => client.send("x".repeat(30)), TooBigError);
  thrown(() => client.send(new Uint8Array(38)), TooBigError);
  await rejected(client.request("x".repeat(29)), TooBigError);
  equal(await server.receive(), { text: "x".repeat(29) });
});

test("a client that is closed by what went wrong with the first message sends none of the others", async (t) => {
  const client = t.client();
  client.addEventListener("error", () => client.close());
  client.connect();
  client.send("x".repeat(40));
  client.send("small");
  const server = await t.welcome({ maxMessage: 40 });
  equal(await server.receive(), { closed: 1000 });
  equal(client.log.map(([type, { state, error }]) => state ?? error?.name ?? type), ["connecting", "TooBigError", "closed"]);
});

test("a listener that sends because of what went wrong doubles nothing", async (t) => {
  const client = t.client();
  client.addEventListener("error", ({ error }) => client.send(error.name));
  client.connect();
  client.send("x".repeat(40));
  client.send("one");
  client.send("two");
  const server = await t.welcome({ maxMessage: 40 });
  for (const text of ["one", "two", "TooBigError"]) equal(await server.receive(), { text });
  client.send("nothing before this");
  equal(await server.receive(), { text: "nothing before this" });
});

test("nothing that waits survives a close", async (t) => {
  t.chance(1);
  const { client, server } = await t.online({ backoff: { base: 60_000, max: 60_000 }, buffer: { bytes: 40 } });
  await until("it is online", () => client.state === "online");
  await server.cut();
  await until("it is offline", () => client.state === "offline");
  client.send("of the last session");
  thrown(() => client.send("more"), BufferFullError);
  client.close();
  equal(client.buffered, 0);
  client.connect();
  client.send("of this one, as large");
  equal(await (await t.welcome()).receive(), { text: "of this one, as large" });
});

test("what the server limits is sent in time", async (t) => {
  const client = t.client({ buffer: { messages: 20 } }).connect();
  for (let i = 0; i < 10; i++) client.send(i);
  const start = Date.now();
  const server = await t.welcome({ maxRate: 50, maxBurst: 5 });
  await until("it is online", () => client.state === "online");
  ok(client.buffered > 0, "some wait");
  for (let i = 10; i < 15; i++) client.send(i);
  for (let i = 0; i < 15; i++) equal(await server.receive(), { data: i });
  // 16 frames with the first: four at once, and one each 22 ms.
  const took = Date.now() - start;
  ok(took >= 200, `it took ${took} ms`);
  equal(client.buffered, 0);
  const full = () => { for (let i = 0; i < 30; i++) client.send(i); };
  thrown(full, BufferFullError);
  await server.cut();
  const next = await t.welcome({ recovered: true }); // without a limit
  await until("all is sent", () => client.buffered === 0);
  client.close();
});

test("signs of life keep to what the server limits", async (t) => {
  const times = [];
  class WebSocket extends (t.WebSocket ?? globalThis.WebSocket) {
    send(frame) {
      times.push(performance.now());
      super.send(frame);
    }
  }
  for (const maxBurst of [1, 2]) {
    times.length = 0;
    const { client, server } = await t.online({ WebSocket }, { maxRate: 20, maxBurst });
    await until("it is online", () => client.state === "online");
    for (let i = 0; i < 4; i++) client.send(i);
    let signs = 0;
    for (let i = 0; i < 4; ) {
      const { data } = await server.receive();
      if (data === undefined) {
        signs++;
        continue;
      }
      equal(data, i++);
      await server.send({});
    }
    while (signs === 0) {
      equal(await server.receive(), {});
      signs++;
    }
    client.close();
    // As the server counts: one frame each 50 ms, and the last of a burst early.
    let used = 0;
    for (const [i, time] of times.entries()) {
      const early = used - time;
      ok(early <= (maxBurst - 1) * 50 + 1, `frame ${i} of those at ${times} was not ${early} ms too early`);
      used = Math.max(used, time) + 50;
    }
  }
});
