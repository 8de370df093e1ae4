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
  equal(of(client, "state").find(({ state }) => state === "offline").reason, "nothing was heard for 300 ms");
});
