import { equal, of, ok, received, sleep, test, until } from "./kit.js";

// store is a storage as browsers have it.
function store() {
  const items = new Map();
  return {
    items,
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, String(value)),
    removeItem: (key) => void items.delete(key),
  };
}

test("a client resumes from the newest position of every channel", async (t) => {
  const { client, server } = await t.online({}, { at: { "": "u0", "*": "b0", "#room": "r0", "#old": "o0" } });
  equal(server.hello, { connect: {} });
  await server.send({ at: "u1", data: 1 });
  await server.send({ data: "ephemeral" });
  await server.send({ on: "#room", at: "r1" }, [1]);
  await server.send({ on: "#room", data: "ephemeral" });
  await server.send({ joined: "#new", at: "n1" });
  await server.send({ left: "#old" });
  await server.send({ missed: "*", at: "b9" });
  await server.send({ at: "u2", data: 2 });
  await until("all have come", () => received(client).includes(2));
  await server.cut();
  const second = await t.welcome({ at: { "": "u2", "*": "b9", "#room": "r1", "#new": "n1" }, recovered: true });
  equal(second.hello, { connect: { at: { "": "u2", "*": "b9", "#room": "r1", "#new": "n1" } } });
  await second.send({ at: "u3", data: 3 });
  await until("it goes on", () => received(client).includes(3));
  equal(of(client, "connected").map(({ recovered }) => recovered), [undefined, true]);
  equal(of(client, "lost"), [{ channels: ["*"] }]);
  // A connection without a message is no reason to forget anything.
  await second.cut();
  const third = await t.accept();
  equal((await third.receive()).connect.at[""], "u3");
  await third.cut();
  equal((await t.welcome({ recovered: true })).hello.connect.at[""], "u3");
});

test("what could not be recovered is an event of its own", async (t) => {
  const { client, server } = await t.online({}, { at: { "": "u0", "#room": "r0" } });
  await until("it is online", () => client.state === "online");
  await server.cut();
  const next = await t.welcome({ at: { "": "u0", "#room": "r9" }, recovered: false, lost: ["#room"] });
  await next.send({ on: "#room", at: "r10", data: "newer" });
  await until("the next message has come", () => received(client).includes("newer"));
  const since = client.log.slice(client.log.findLastIndex?.(([type]) => type === "connected") ?? -3);
  equal(since, [
    ["connected", { connection: "c1", user: "ada", channels: ["", "#room"], recovered: false, lost: ["#room"] }],
    ["lost", { channels: ["#room"] }],
    ["message", { channel: "#room", topic: "room", data: "newer", ephemeral: false }],
  ]);
  await next.cut();
  equal((await t.welcome({ recovered: true })).hello, { connect: { at: { "": "u0", "#room": "r10" } } });
});

test("messages that are missed on a living connection", async (t) => {
  const { client, server } = await t.online();
  let during;
  client.addEventListener("lost", () => (during = client.state));
  await server.send({ missed: "", at: "u7" });
  await until("it is told", () => of(client, "lost").length === 1);
  equal([of(client, "lost"), during], [[{ channels: [""] }], "online"]);
});

test("joined and left, also while away", async (t) => {
  const { client, server } = await t.online({}, { at: { "": "u0", "#a": "a0", "#b": "b0" } });
  await server.send({ joined: "#c", at: "c0" });
  await server.send({ joined: "#c", at: "c1" });
  await server.send({ left: "#a" });
  await server.send({ left: "#a" });
  await until("it is told", () => of(client, "left").length === 1);
  equal(client.topics, ["b", "c"]);
  await server.cut();
  const next = await t.welcome({ at: { "": "u0", "#c": "c1", "#d": "d0" }, recovered: true });
  equal(next.hello.connect.at, { "": "u0", "#b": "b0", "#c": "c1" });
  await until("it is told", () => of(client, "left").length === 2);
  equal(of(client, "joined").map(({ topic }) => topic), ["a", "b", "c", "d"]);
  equal(of(client, "left"), [{ channel: "#a", topic: "a" }, { channel: "#b", topic: "b" }]);
  equal(client.topics, ["c", "d"]);
  await next.cut();
  equal((await t.welcome({ recovered: true })).hello.connect.at, { "": "u0", "#c": "c1", "#d": "d0" });
});

test("another user's positions are worth nothing", async (t) => {
  const { client, server } = await t.online({}, { user: "ada", at: { "": "u0", "*": "b0" } });
  await until("it is online", () => client.state === "online");
  await server.cut();
  const next = await t.welcome({ user: "bob", at: { "": "v0", "*": "b0" }, recovered: true });
  await until("it is told", () => of(client, "lost").length === 1);
  equal(of(client, "connected").at(-1), { connection: "c1", user: "bob", channels: ["", "*"], recovered: false, lost: ["", "*"] });
  await next.cut();
  await t.welcome({ user: "bob", at: { "": "v0", "*": "b0" }, recovered: true });
  await until("it is online", () => of(client, "connected").length === 3);
  ok(of(client, "connected").at(-1).recovered, "bob's own are good");
});

test("close keeps the positions, unless they are to be forgotten", async (t) => {
  const { client, server } = await t.online();
  await server.send({ at: "u5", data: 5 });
  await until("it has come", () => received(client).length === 1);
  client.close();
  client.connect();
  equal((await t.welcome({ recovered: true })).hello.connect.at[""], "u5");
  await until("it is online", () => client.state === "online");
  client.close({ forget: true });
  client.connect();
  equal((await t.welcome()).hello, { connect: {} });
  await until("it is online", () => client.state === "online");
  client.close();
  client.close({ forget: true });
  client.connect();
  equal((await t.welcome({ at: { "#room": "r0" } })).hello, { connect: {} });
  await until("it is online", () => client.state === "online");
  client.close({ forget: true });
  equal(client.topics, []);
  client.connect();
  await t.welcome({ at: { "#room": "r0" } });
  await until("it is in the room again", () => client.topics.length === 1);
  equal(of(client, "joined").length, 2);
});

test("a listener that forgets the positions leaves none behind", async (t) => {
  const storage = store();
  for (const [type, frame] of [["message", { at: "u1", data: "signed out" }], ["lost", { missed: "", at: "u1" }], ["connected", {}]]) {
    const { client, server } = await t.online({ storage });
    await until("it is online", () => client.state === "online");
    client.addEventListener(type, () => client.close({ forget: true }), { once: true });
    if (type === "connected") {
      client.reconnect();
      await t.welcome({ recovered: true });
    } else {
      await server.send(frame);
    }
    await until("it is closed", () => client.state === "closed");
    equal([...storage.items], [], `stored after ${type}`);
    client.connect();
    equal((await t.welcome()).hello, { connect: {} }, `first after ${type}`);
    client.close({ forget: true });
  }
});

test("work that ends after the positions were forgotten stores none", async (t) => {
  const storage = store();
  const { client, server } = await t.online({ storage });
  let done;
  client.addEventListener("message", (event) => event.waitUntil(new Promise((resolve) => (done = resolve))), { once: true });
  await server.send({ at: "u1", data: 1 });
  await until("it has come", () => done);
  client.close({ forget: true });
  equal([...storage.items], [], "stored while work goes on");
  done();
  await sleep(5);
  equal([...storage.items], [], "stored after it");
});

test("a storage carries positions to the next client", async (t) => {
  const storage = store();
  const { client, server } = await t.online({ storage });
  await server.send({ at: "u1", data: 1 });
  await server.send({ joined: "#room", at: "r0" });
  await server.send({ on: "#room", at: "r1", data: 2 });
  await until("all have come", () => received(client).length === 2);
  client.close();
  equal([...storage.items.keys()], [`queuerun ${client.url}`]);
  const second = await t.online({ storage }, { at: { "": "u1", "*": "b0", "#room": "r1" }, recovered: true });
  equal(second.server.hello, { connect: { at: { "": "u1", "*": "b0", "#room": "r1" } } });
  await until("it is online", () => second.client.state === "online");
  // This client has never seen the room.
  equal(of(second.client, "joined"), [{ channel: "#room", topic: "room" }]);
  second.client.close({ forget: true });
  equal(storage.items.size, 0);
});

test("a stored position waits for the work on its message", async (t) => {
  const storage = store();
  const { client, server } = await t.online({ storage, storageKey: "here" });
  const done = {};
  client.addEventListener("message", (event) => event.waitUntil(new Promise((resolve) => (done[event.data] = resolve))));
  await server.send({ at: "u1", data: 1 });
  await server.send({ at: "u2", data: 2 });
  await until("both have come", () => done[2]);
  const stored = () => JSON.parse(storage.items.get("here")).at[""];
  equal(stored(), "u0");
  done[2]();
  await sleep(5);
  equal(stored(), "u0");
  done[1]();
  await until("both are stored", () => stored() === "u2");
});

test("a stored position waits for the current state of the application, too", async (t) => {
  const storage = store();
  const options = { storage, storageKey: "here" };
  let load;
  const loading = (client) => {
    for (const type of ["connected", "lost"]) {
      client.addEventListener(type, (event) => {
        if (!event.recovered) event.waitUntil(new Promise((resolve) => (load = resolve)));
      });
    }
  };
  const client = t.client(options);
  loading(client);
  client.connect();
  const server = await t.welcome();
  await server.send({ at: "u1", data: 1 });
  await until("the message has come", () => received(client).length === 1);
  equal(storage.items.size, 0);
  load();
  await until("the position is stored", () => storage.items.size === 1);
  await server.send({ missed: "", at: "u9" });
  await until("it is told", () => of(client, "lost").length === 1);
  await sleep(5);
  client.close();
  // Gone before the state had been loaded: the loss is told again.
  const { server: next } = await t.online(options);
  equal(next.hello.connect.at[""], "u1");
});

test("a listener that connects anew does not get its message again", async (t) => {
  const { client, server } = await t.online();
  client.addEventListener("message", () => client.reconnect(), { once: true });
  await server.send({ at: "u1", data: 1 });
  equal((await t.welcome({ recovered: true })).hello.connect.at[""], "u1");
});

test("a storage that is broken does not break the client", async (t) => {
  const odd = store();
  odd.setItem("here", "not JSON");
  const { server } = await t.online({ storage: odd, storageKey: "here" });
  equal(server.hello, { connect: {} });
  // A server takes none of these for a client's, and would end it for good.
  for (const item of ["null", "7", '{"at":7}', '{"at":{"":7}}', '{"at":["u1",2]}', '{"at":null}']) {
    odd.setItem("here", item);
    const { client, server } = await t.online({ storage: odd, storageKey: "here" });
    equal(server.hello, { connect: {} }, item);
    client.close();
  }

  const full = store();
  const { client: second, server: its } = await t.online({ storage: full, storageKey: "here" });
  await until("the position is stored", () => full.items.has("here"));
  full.setItem = () => { throw new Error("quota exceeded"); };
  await its.send({ at: "u1", data: 1 });
  await its.send({ at: "u2", data: 2 });
  await until("both have come", () => received(second).length === 2);
  equal([of(second, "error").map(({ error }) => error.message), full.items.size], [["quota exceeded"], 0]);

  const blocked = { getItem() { throw new Error("blocked"); }, setItem() { throw new Error("blocked"); }, removeItem() { throw new Error("blocked"); } };
  const third = await t.online({ storage: blocked });
  await until("it is online", () => third.client.state === "online");
  equal(of(third.client, "error").map(({ error }) => error.message), ["blocked"]);
});
