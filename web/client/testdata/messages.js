import { QueuerunError } from "../queuerun.js";
import { equal, of, ok, received, rejected, sleep, test, thrown, uncaught, until } from "./kit.js";

test("messages of every kind and channel, in order", async (t) => {
  const { client, server } = await t.online();
  await server.send({ at: "u1", data: { id: 1, deep: [null, "x"] } });
  await server.send({ at: "u2", text: "{not JSON} ä\u2028" });
  await server.send({ at: "u3" }, [0, 10, 255]);
  await server.send({ on: "*", at: "b1", data: null });
  await server.send({ on: "#a#b", at: "r1", text: "" });
  await server.send({ on: "#a#b", data: "cursor", unknown: 1 });
  await server.send({}, []);
  await until("all have come", () => of(client, "message").length === 7);
  equal(of(client, "message"), [
    { channel: "", topic: null, data: { id: 1, deep: [null, "x"] }, ephemeral: false },
    { channel: "", topic: null, data: "{not JSON} ä\u2028", ephemeral: false },
    { channel: "", topic: null, data: new Uint8Array([0, 10, 255]), ephemeral: false },
    { channel: "*", topic: null, data: null, ephemeral: false },
    { channel: "#a#b", topic: "a#b", data: "", ephemeral: false },
    { channel: "#a#b", topic: "a#b", data: "cursor", ephemeral: true },
    { channel: "", topic: null, data: new Uint8Array(), ephemeral: true },
  ]);
  ok(received(client)[2] instanceof Uint8Array && received(client)[2].buffer.byteLength === 3, "bytes have a buffer of their own");
});

test("what is sent, of every kind", async (t) => {
  const { client, server } = await t.online();
  await until("it is online", () => client.state === "online");
  const buffer = new Uint8Array([9, 1, 2, 3, 9]).buffer;
  client.send({ a: [1, null] });
  client.send("text \ud800 ä");
  client.send(null);
  client.send(new Date(0));
  client.send(new Uint8Array(buffer, 1, 3));
  client.send(buffer);
  client.send(new Uint16Array(buffer, 2, 1));
  client.send("");
  for (const want of [
    { data: { a: [1, null] } },
    { text: "text \ud800 ä" },
    { data: null },
    { data: "1970-01-01T00:00:00.000Z" },
    { header: {}, bytes: [1, 2, 3] },
    { header: {}, bytes: [9, 1, 2, 3, 9] },
    { header: {}, bytes: [2, 3] },
    { text: "" },
  ]) equal(await server.receive(), want);
});

test("bytes of another part of the page are bytes, too", async (t) => {
  const { client, server } = await t.online();
  await until("it is online", () => client.state === "online");
  const buffer = await foreignBuffer();
  ok(!(buffer instanceof ArrayBuffer), "it is another's ArrayBuffer");
  client.send(buffer);
  equal(await server.receive(), { header: {}, bytes: [1, 2] });
});

// foreignBuffer returns the bytes 1 and 2 as somebody has them who has other globals.
async function foreignBuffer() {
  const code = "new Uint8Array([1, 2]).buffer";
  if (!globalThis.document) return (await import("node:vm")).runInNewContext(code);
  const frame = document.body.appendChild(document.createElement("iframe"));
  return frame.contentWindow.eval(code);
}

test("what would not arrive is refused, by name", async (t) => {
  const { client, server } = await t.online();
  await until("it is online", () => client.state === "online");
  const cycle = {};
  cycle.cycle = cycle;
  for (const [value, name] of [
    [undefined, "undefined"], [() => {}, "function"], [Symbol("s"), "symbol"], [1n, "BigInt"], [NaN, "NaN"], [-Infinity, "-Infinity"],
    [new Blob(["x"]), "Blob"], [new Map([[1, 2]]), "Map"], [new Set([1]), "Set"], [Promise.resolve(), "Promise"], [new Error("x"), "Error"],
    [{ file: new Blob(["x"]) }, '"file"'], [{ deep: [{ n: 1n }] }, '"n"'], [{ bytes: new Uint8Array([1]) }, '"bytes"'],
    [{ bytes: new ArrayBuffer(1) }, '"bytes"'], [[NaN], '"0"'], [cycle, "circular"],
  ]) {
    const { message } = thrown(() => client.send(value), TypeError);
    ok(message.includes(name), `"${message}" names ${name}`);
    await rejected(client.request(value), TypeError);
  }
  // What JSON leaves out, and what says itself how it is written, is nobody's error.
  client.send({ a: undefined, f() {}, date: new Date(0), url: new URL("http://a/"), none: Object.create(null), list: [] });
  equal(await server.receive(), { data: { date: "1970-01-01T00:00:00.000Z", url: "http://a/", none: {}, list: [] } });
  equal(client.buffered, 0);
});

test("a message that nobody takes is not acknowledged", async (t) => {
  const client = t.client({}, []).connect();
  const server = await t.welcome();
  let last = 0;
  const send = (number) => server.send({ at: `u${number}`, ack: `${number}`, data: number });
  const passed = async () => {
    await server.send({ joined: `#${++last}`, at: "r" });
    await until("it has come", () => client.topics.includes(`${last}`));
  };
  const seen = [];
  const listener = ({ data }) => seen.push(data);
  await send(1);
  await passed();
  client.addEventListener("message", listener);
  client.addEventListener("message", listener);
  await send(2);
  equal(await server.receive(), { ack: "2" });
  client.addEventListener("message", listener, true);
  client.removeEventListener("message", listener);
  await send(3);
  equal(await server.receive(), { ack: "3" });
  client.removeEventListener("message", listener, { capture: true });
  await send(4);
  await passed();
  client.addEventListener("message", { handleEvent: listener }, { once: true });
  await send(5);
  equal(await server.receive(), { ack: "5" });
  await send(6);
  await passed();
  const abort = new AbortController();
  client.addEventListener("message", function ({ data }) { seen.push(this === client && data); }, { signal: abort.signal });
  await send(7);
  equal(await server.receive(), { ack: "7" });
  abort.abort();
  client.addEventListener("message", null);
  await send(8);
  await passed();
  client.send("nothing before this");
  equal(await server.receive(), { text: "nothing before this" });
  equal(seen, [2, 3, 5, 7]);
  // It has gone by all the same.
  await server.cut();
  equal((await t.welcome({ recovered: true })).hello.connect.at[""], "u8");
});

test("a message is acknowledged after its listeners have run", async (t) => {
  const { client, server } = await t.online();
  client.addEventListener("message", ({ data }) => client.send(`listener of ${data}`));
  await server.send({ at: "u1", ack: "token 1", data: 1 });
  await server.send({ on: "#room", ack: "token 2" }, [2]);
  await server.send({ at: "u3", text: "3" });
  equal(await server.receive(), { text: "listener of 1" });
  equal(await server.receive(), { ack: "token 1" });
  equal(await server.receive(), { text: "listener of 2" });
  equal(await server.receive(), { ack: "token 2" });
  equal(await server.receive(), { text: "listener of 3" });
});

test("an acknowledgement waits for the work on its message, and on those before", async (t) => {
  const { client, server } = await t.online();
  const work = {};
  client.addEventListener("message", (event) => {
    if (event.data !== "easy") event.waitUntil(new Promise((resolve, reject) => (work[event.data] = { resolve, reject })));
  });
  await server.send({ at: "u1", ack: "1", data: "first" });
  await server.send({ at: "u2", ack: "2", data: "second" });
  await server.send({ at: "u3", ack: "3", data: "easy" });
  await until("all have come", () => of(client, "message").length === 3);
  work.second.reject(new Error("it failed"));
  await until("that is told", () => of(client, "error").length === 1);
  client.send("nothing before this");
  equal(await server.receive(), { text: "nothing before this" });
  // The position does not wait: what was dispatched is not to come again.
  await server.cut();
  const next = await t.welcome({ recovered: true });
  equal(next.hello.connect.at[""], "u3");
  await until("it is online", () => client.state === "online");
  work.first.resolve();
  for (const ack of ["1", "2", "3"]) equal(await next.receive(), { ack });
  await next.send({ at: "u4", ack: "4", data: "easy" });
  equal(await next.receive(), { ack: "4" });
});

test("an acknowledgement that is due while there is no connection goes over the next", async (t) => {
  const { client, server } = await t.online();
  let done;
  client.addEventListener("message", (event) => event.waitUntil(new Promise((resolve) => (done = resolve))));
  await server.send({ at: "u1", ack: "token", data: 1 });
  await until("it has come", () => done);
  await server.cut();
  const next = await t.accept();
  done();
  await sleep(5);
  equal(await next.receive(), { connect: { at: { "": "u1", "*": "b0" } } });
  await next.send({ connected: { connection: "c2", user: "ada", at: { "": "u1", "*": "b0" }, recovered: true } });
  equal(await next.receive(), { ack: "token" });
});

test("an acknowledgement is repeated on the next connection until the server answers", async (t) => {
  const { client, server } = await t.online();
  for (const ack of ["1", "2", "3"]) {
    await server.send({ at: "u1", ack, data: ack });
    equal(await server.receive(), { ack });
  }
  await server.send({ acked: "2" });
  await server.send({ acked: "of nothing" });
  await server.send({ data: "end" });
  await until("all have come", () => received(client).length === 4);
  await server.cut();
  const next = await t.welcome({ recovered: true });
  for (const ack of ["1", "3"]) {
    equal(await next.receive(), { ack });
    await next.send({ acked: ack });
  }
  await next.send({ data: "end" });
  await until("all have come", () => received(client).length === 5);
  await next.cut();
  const last = await t.welcome({ recovered: true });
  await until("it is online", () => client.state === "online");
  client.send("nothing before this");
  equal(await last.receive(), { text: "nothing before this" });
});

test("an acknowledgement survives a close that does not forget the user", async (t) => {
  const { client, server } = await t.online();
  let done;
  client.addEventListener("message", (event) => event.data === 2 && event.waitUntil(new Promise((resolve) => (done = resolve))));
  await server.send({ at: "u1", ack: "1", data: 1 });
  equal(await server.receive(), { ack: "1" });
  await server.send({ at: "u2", ack: "2", data: 2 });
  await until("it has come", () => done);
  client.close();
  done();
  await sleep(5);
  client.connect();
  const next = await t.welcome({ recovered: true });
  equal(next.hello.connect.at[""], "u2");
  for (const ack of ["1", "2"]) equal(await next.receive(), { ack });
  await until("it is online", () => client.state === "online");
  client.close({ forget: true });
  client.connect();
  const last = await t.welcome();
  await until("it is online", () => client.state === "online");
  client.send("nothing before this");
  equal(await last.receive(), { text: "nothing before this" });
});

test("work that is announced too late is refused", async (t) => {
  const { client, server } = await t.online();
  let event;
  client.addEventListener("message", (e) => (event = e));
  await server.send({ data: 1 });
  await until("it has come", () => event);
  thrown(() => event.waitUntil(Promise.resolve()), QueuerunError);
});

test("a listener that throws does not break the stream", async (t) => {
  const { client, server } = await t.online();
  client.addEventListener("message", ({ data }) => {
    if (data === "bad") throw new Error("thrown by a listener");
  });
  const error = uncaught();
  await server.send({ at: "u1", ack: "1", data: "bad" });
  await server.send({ at: "u2", ack: "2", data: "good" });
  equal(await server.receive(), { ack: "1" });
  equal(await server.receive(), { ack: "2" });
  equal((await error).message, "thrown by a listener", "the platform was told");
  equal(received(client), ["bad", "good"]);
  await server.cut();
  equal((await t.welcome({ recovered: true })).hello.connect.at[""], "u2");
});

test("an error that belongs to no request", async (t) => {
  const { client, server } = await t.online();
  await server.send({ error: "too loud" });
  await until("it is told", () => of(client, "error").length === 1);
  const [{ error }] = of(client, "error");
  equal([error.name, error.message, client.state], ["ServerError", "too loud", "online"]);
});

test("frames that nobody knows are ignored", async (t) => {
  const { client, server } = await t.online();
  await server.send({ somethingNew: true });
  await server.send([]);
  await server.send({ id: 99, data: "a reply to nobody" });
  await server.send({ data: "after them" });
  await until("the next one has come", () => received(client).includes("after them"));
  equal([received(client), of(client, "error"), await t.attempts()], [["after them"], [], 1]);
});

test("what cannot be read ends the connection, and the next one goes on", async (t) => {
  const { client, server } = await t.online();
  let from = server;
  const unreadable = ["no JSON", "null", "7", ["no JSON", [1]], ["7", [10]]];
  for (const frame of unreadable) {
    await until("it is online", () => client.state === "online");
    if (typeof frame === "string") await from.send(frame);
    else await from.send(frame[0], frame[1]);
    equal(await from.receive(), { closed: 4900 }, frame);
    from = await t.welcome({ recovered: true });
  }
  await until("it is told", () => of(client, "error").length === unreadable.length);
  equal(of(client, "error")[0].error.message, "the server sent a frame that cannot be read");
});
