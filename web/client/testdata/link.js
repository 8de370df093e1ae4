import { equal, of, ok, received, sleep, test, until } from "./kit.js";

test("heartbeats are answered", async (t) => {
  const { client, server } = await t.online();
  await server.send({});
  equal(await server.receive(), {});
  await server.send({ data: 1 });
  await server.send({});
  equal(await server.receive(), {});
  equal(received(client), [1]);
});

test("a link that is silent for heartbeat and timeout is dropped", async (t) => {
  const client = t.client();
  const at = {};
  client.addEventListener("state", ({ state }) => (at[state] ??= Date.now()));
  client.connect();
  const server = await t.welcome({ heartbeat: 60, timeout: 40 });
  await until("it has noticed", () => at.offline);
  const took = at.offline - at.online;
  ok(took >= 95 && took < 2000, `it took ${took} ms`);
  equal(of(client, "state").find(({ state }) => state === "offline").reason, "nothing was heard for 100 ms");
  equal(await server.receive(), { closed: 4900 }); // 1000 would be a goodbye
  ok((await t.welcome({ recovered: true })).hello.connect.at, "it resumes");
});

test("anything that is heard keeps a link", async (t) => {
  const { client, server } = await t.online({}, { heartbeat: 500, timeout: 300 });
  for (const frame of [{}, { data: 1 }, { joined: "#a", at: "a" }, { unknown: 1 }, {}]) {
    await sleep(200);
    await server.send(frame);
  }
  equal([client.state, await t.attempts()], ["online", 1]);
});

test("a connection that is never accepted is given up", async (t) => {
  const client = t.client({ connectTimeout: 300 }).connect();
  const first = await t.accept();
  equal(await first.receive(), { connect: {} });
  equal(await first.receive(), { closed: 4900 });
  await t.accept();
  equal(of(client, "state").find(({ state }) => state === "offline").reason, "not accepted within 300 ms");
});

test("a connection that is never accepted is given up, whatever is heard on it", async (t) => {
  const client = t.client({ connectTimeout: 300 }).connect();
  const server = await t.accept();
  const start = Date.now();
  const offline = () => of(client, "state").some(({ state }) => state === "offline");
  while (!offline() && Date.now() - start < 5000) {
    await server.send({}).catch(() => {}); // it may have gone just now
    await sleep(20);
  }
  ok(offline(), "it has not waited for ever");
  await t.accept();
});

test("a server that speaks without asking hears that the client is there", async (t) => {
  const { client, server } = await t.online({}, { heartbeat: 200, timeout: 200 });
  await until("it is online", () => client.state === "online");
  for (let i = 0; i < 3; i++) {
    await sleep(105);
    await server.send({ data: i });
    equal(await server.receive(), {});
  }
  equal(received(client), [0, 1, 2]);
});

test("no timer is set for longer than it can be", async (t) => {
  t.chance(1);
  const set = globalThis.setTimeout;
  const delays = [];
  globalThis.setTimeout = (step, delay, ...rest) => {
    delays.push(delay);
    return set(step, delay, ...rest);
  };
  try {
    const { client, server } = await t.online({ connectTimeout: Infinity, backoff: { base: 1e12, max: Infinity } }, { heartbeat: 1e12, timeout: 1e12 });
    await until("it is online", () => client.state === "online");
    client.request("for ever", { timeout: Infinity }).catch(() => {});
    await server.cut();
    await until("it is offline", () => client.state === "offline");
    client.close();
  } finally {
    globalThis.setTimeout = set;
  }
  ok(delays.every((delay) => delay < 2 ** 31), `${delays} are possible`);
});
