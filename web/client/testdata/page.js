// What only a browser has.
import { equal, of, ok, sleep, test, until } from "./kit.js";

const day = 86_400_000;
const patient = { base: day, max: day };

async function offline(t, server, client) {
  t.chance(1);
  await server.cut();
  await until("it is offline", () => client.state === "offline");
}

test("an address is relative to the page", async (t) => {
  const client = t.client({ url: new URL(t.url).pathname + "#fragment" });
  equal(client.url, t.url.replace("http", "ws"));
  client.connect();
  await t.welcome();
});

test("a client that waits comes at once when the network or the page is back", async (t) => {
  const { client, server } = await t.online({ backoff: patient });
  let current = server;
  for (const [target, type] of [[window, "online"], [window, "pageshow"], [document, "visibilitychange"]]) {
    await until("it is online", () => client.state === "online");
    await offline(t, current, client);
    target.dispatchEvent(new Event(type));
    current = await t.welcome({ recovered: true });
  }
});

test("what the server asked for is waited for all the same", async (t) => {
  const { client, server } = await t.online({ backoff: { base: 1 } });
  await until("it is online", () => client.state === "online");
  await server.send({ reconnect: { after: 100 } });
  client.addEventListener("state", ({ state }) => { if (state === "offline") dispatchEvent(new Event("online")); });
  const start = Date.now();
  await server.close(1012);
  await t.welcome({ recovered: true });
  ok(Date.now() - start >= 98, "the advice was kept");
});

test("a clock that is set back makes no wait longer", async (t) => {
  const { client, server } = await t.online({ backoff: { base: 1 } });
  await until("it is online", () => client.state === "online");
  await server.send({ reconnect: { after: 100 } });
  await server.close(1012);
  await until("it is offline", () => client.state === "offline");
  const now = Date.now;
  try {
    Date.now = () => now() - day;
    dispatchEvent(new Event("online"));
  } finally {
    Date.now = now;
  }
  await t.welcome({ recovered: true });
});

test("a link that was silent since the network went is replaced, a living one is kept", async (t) => {
  const { client, server } = await t.online({ backoff: patient });
  await until("it is online", () => client.state === "online");
  t.chance(1);
  dispatchEvent(new Event("offline"));
  equal(client.state, "online");
  await sleep(2);
  await server.send({ data: "still there" });
  await until("it has come", () => of(client, "message").length === 1);
  dispatchEvent(new Event("online"));
  equal(client.state, "online");
  await sleep(2);
  dispatchEvent(new Event("offline"));
  dispatchEvent(new Event("online"));
  ok(client.state !== "online", "it is gone");
  equal((await t.welcome({ recovered: true })).hello, { connect: { at: { "": "u0", "*": "b0" } } });
});

test("a page that was asleep notices at once that the link is dead", async (t) => {
  const { client } = await t.online({}, { heartbeat: 10_000, timeout: 10_000 });
  await until("it is online", () => client.state === "online");
  const now = Date.now;
  document.dispatchEvent(new Event("visibilitychange"));
  equal(client.state, "online");
  try {
    Date.now = () => now() + 20_001;
    document.dispatchEvent(new Event("visibilitychange"));
  } finally {
    Date.now = now;
  }
  ok(client.state !== "online", "it is gone");
  await t.welcome({ recovered: true });
});

test("a client that is closed listens to the page no more", async (t) => {
  const signals = [];
  const listen = EventTarget.prototype.addEventListener;
  EventTarget.prototype.addEventListener = function (type, listener, options) {
    if (this === window || this === document) signals.push(options.signal);
    listen.call(this, type, listener, options);
  };
  const client = t.client().connect();
  EventTarget.prototype.addEventListener = listen;
  await t.welcome();
  await until("it is online", () => client.state === "online");
  client.close();
  equal(signals.map(({ aborted }) => aborted), [true, true, true, true]);
  for (const type of ["offline", "online", "pageshow"]) dispatchEvent(new Event(type));
  document.dispatchEvent(new Event("visibilitychange"));
  await sleep(10);
  equal([client.state, await t.attempts()], ["closed", 1]);
});
