import { ClosedError, DisconnectedError, QueuerunError, ServerError, TimeoutError } from "../queuerun.js";
import { equal, handled, ok, rejected, sleep, test, until } from "./kit.js";

test("requests and replies of every kind, in any order", async (t) => {
  const { client, server } = await t.online();
  await until("it is online", () => client.state === "online");
  const replies = [client.request({ n: 1 }), client.request("two"), client.request(new Uint8Array([3])), client.request(4)];
  equal(await server.receive(), { id: 1, data: { n: 1 } });
  equal(await server.receive(), { id: 2, text: "two" });
  equal(await server.receive(), { header: { id: 3 }, bytes: [3] });
  equal(await server.receive(), { id: 4, data: 4 });
  await server.send({ id: 4 });
  await server.send({ id: 3 }, [7, 10, 7]);
  await server.send({ id: 1, data: { error: "is data here" } });
  await server.send({ id: 2, text: "text" });
  equal(await Promise.all(replies), [{ error: "is data here" }, "text", new Uint8Array([7, 10, 7]), null]);
  ok((await replies[3]) === undefined, "no answer is undefined");
});

test("a request that the server answers with an error", async (t) => {
  const { client, server } = await t.online();
  const reply = handled(client.request("order"));
  const { id } = await server.receive();
  await server.send({ id, error: "out of stock" });
  const error = await rejected(reply, ServerError);
  ok(error instanceof QueuerunError && error instanceof Error, "it is an error of the module");
  equal([error.name, error.message, client.state], ["ServerError", "out of stock", "online"]);
});

test("a request whose reply does not come in time", async (t) => {
  const { client, server } = await t.online({ requestTimeout: 20 });
  await until("it is online", () => client.state === "online");
  const error = await rejected(client.request("slow"), TimeoutError);
  equal([error.message, error.sent], ["no reply came within 20 ms", true]);
  // The reply comes after all, and is not taken for another one's.
  const { id } = await server.receive();
  const next = client.request("next", { timeout: 0 });
  await server.send({ id, data: "late" });
  await sleep(30);
  await server.send({ id: (await server.receive()).id, data: "in time" });
  equal(await next, "in time");
});

test("a request that never left is not sent after its time-out", async (t) => {
  const client = t.client().connect();
  const server = await t.accept();
  await server.receive();
  const error = await rejected(client.request("too late", { timeout: 5 }), TimeoutError);
  equal([error.sent, client.buffered], [false, 0]);
  client.send("this one is");
  await server.send({ connected: { connection: "c1" } });
  equal(await server.receive(), { text: "this one is" });
});

test("a request that was sent is not repeated on the next connection, one that was not is sent there", async (t) => {
  const { client, server } = await t.online();
  await until("it is online", () => client.state === "online");
  const sent = handled(client.request("sent"));
  equal(await server.receive(), { id: 1, text: "sent" });
  await server.cut();
  ok(!("sent" in (await rejected(sent, DisconnectedError))), "the type says it");
  const waiting = handled(client.request("waiting"));
  client.send("in order");
  equal(client.buffered, 2);
  const next = await t.welcome({ recovered: true });
  const { id, text } = await next.receive();
  equal(text, "waiting");
  equal(await next.receive(), { text: "in order" });
  await next.send({ id, text: "done" });
  equal([await waiting, client.buffered], ["done", 0]);
});

test("a request that is aborted", async (t) => {
  const { client, server } = await t.online();
  await until("it is online", () => client.state === "online");
  await rejected(client.request("never", { signal: AbortSignal.abort(new RangeError("before")) }), RangeError);
  const abort = new AbortController();
  const reply = handled(client.request("sent", { signal: abort.signal }));
  const { id } = await server.receive();
  abort.abort(new RangeError("meanwhile"));
  await rejected(reply, RangeError);
  await server.send({ id, data: "nobody waits" });
  const second = new AbortController();
  const done = client.request("second", { signal: second.signal });
  await server.send({ id: (await server.receive()).id, data: "done" });
  equal(await done, "done");
  second.abort();
  // One that waits is taken out.
  await server.cut();
  await until("it is offline", () => client.state !== "online");
  const third = new AbortController();
  const waiting = handled(client.request("waiting", { signal: third.signal }));
  third.abort(new RangeError("waiting"));
  await rejected(waiting, RangeError);
  equal(client.buffered, 0);
});

test("a signal that outlives its requests does not gather them", async (t) => {
  const { client, server } = await t.online();
  const { signal } = new AbortController();
  let listeners = 0;
  signal.addEventListener = () => listeners++;
  signal.removeEventListener = () => listeners--;
  const reply = client.request("one", { signal });
  equal(listeners, 1);
  await server.send({ id: (await server.receive()).id });
  await reply;
  equal(listeners, 0);
});

test("requests of a client that is closed", async (t) => {
  const { client, server } = await t.online();
  await until("it is online", () => client.state === "online");
  const sent = handled(client.request("sent"));
  await server.receive();
  client.close();
  await rejected(sent, DisconnectedError);
  await rejected(client.request("after"), ClosedError);
  client.connect();
  const waiting = handled(client.request("waiting"));
  client.close();
  equal((await rejected(waiting, ClosedError)).code, 1000);
  await rejected(client.request(undefined), TypeError);
});

test("a request of a client that is closed while it is written", async (t) => {
  const client = t.client().connect();
  client.addEventListener("error", () => client.close());
  for (let i = 0; i < 6; i++) client.send(i);
  client.send("x".repeat(100)); // too big, and behind what the server limits
  await t.welcome({ maxMessage: 60, maxRate: 50, maxBurst: 5 });
  await until("it is online", () => client.state === "online");
  for (const end = performance.now() + 200; performance.now() < end; ); // no timer runs
  equal((await rejected(client.request("last", { timeout: 0 }), ClosedError)).code, 1000);
});
