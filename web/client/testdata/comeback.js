import { ClosedError } from "../queuerun.js";
import { equal, handled, near, of, ok, rejected, sleep, test, until } from "./kit.js";

// nextWait returns for how long the client goes offline the next time.
async function nextWait(client, cause) {
  const before = client.waits.length;
  await cause();
  await until("it is offline", () => client.waits.length > before);
  return client.waits[before];
}

const unhurried = { base: 1000, max: 6000, stable: 60_000 };

test("the wait doubles up to a limit, and is any part of it", async (t) => {
  t.chance(1);
  await t.refuse(503);
  const client = t.client({ backoff: unhurried });
  near(await nextWait(client, () => client.connect()), 1000, "the first wait");
  for (const want of [2000, 4000, 6000, 6000]) near(await nextWait(client, () => client.reconnect()), want, "the next wait");
  t.chance(0.25);
  near(await nextWait(client, () => client.reconnect()), 1500, "a quarter");
  equal(of(client, "state").at(-1).code, 1006);
  // Accepted and lost at once is one more failure; after a while it would be the first.
  t.chance(1);
  await t.refuse(0);
  client.reconnect();
  const server = await t.welcome();
  await until("it is online", () => client.state === "online");
  near(await nextWait(client, () => server.cut()), 6000, "the wait after a short connection");
});

test("a connection that lasted makes the failures before it forgotten", async (t) => {
  t.chance(1);
  await t.refuse(503);
  const client = t.client({ backoff: { ...unhurried, stable: 1 } });
  await nextWait(client, () => client.connect());
  near(await nextWait(client, () => client.reconnect()), 2000, "the second wait");
  await t.refuse(0);
  client.reconnect();
  const server = await t.welcome();
  await until("it is online", () => client.state === "online");
  await sleep(5);
  near(await nextWait(client, () => server.cut()), 1000, "the wait after a connection that lasted");
});

test("each close code says when to come back", async (t) => {
  t.chance(1);
  for (const [code, want] of [
    [1001, 2000], [1011, 2000], [1012, 2000], [1013, 2000], [4200, 2000],
    [4000, 1000], [4001, 1000], [4099, 1000],
    [4100, 7000], [4101, 7000], [4102, 7000], [4199, 7000],
  ]) {
    const client = t.client({ backoff: unhurried });
    await t.refuse(503);
    await nextWait(client, () => client.connect()); // one failure
    await t.refuse(0);
    client.reconnect();
    const server = await t.welcome();
    near(await nextWait(client, () => server.close(code, "why")), want, `the wait after ${code}`);
    equal([of(client, "state").at(-1).code, of(client, "state").at(-1).reason], [code, "why"]);
    client.close();
  }
});

test("a server that ends every connection at once is left alone for longer each time", async (t) => {
  t.chance(1);
  for (const [code, imposed, advice] of [[1006, 0], [4000, 0], [4001, 0], [4099, 0], [4101, 5000], [1012, 60, 60]]) {
    const client = t.client({ backoff: unhurried });
    for (const step of [1000, 2000, 4000, 6000]) {
      client.reconnect();
      const server = await t.welcome();
      await until("it is online", () => client.state === "online");
      if (advice) await server.send({ reconnect: { after: advice } });
      const end = () => (code === 1006 ? server.cut() : server.close(code));
      near(await nextWait(client, end), imposed + step, `the wait after ${code}`);
    }
    client.close();
  }
});

test("some codes mean never", async (t) => {
  for (const code of [1000, 1002, 1003, 1007, 1009, 4400, 4401, 4403, 4499]) {
    const before = await t.attempts();
    const { client, server } = await t.online();
    await until("it is online", () => client.state === "online");
    const request = handled(client.request("pending"));
    await server.receive();
    client.send("not noticed yet");
    await server.close(code, "why");
    await until("it is closed", () => client.state === "closed");
    await rejected(request, Error);
    await sleep(10);
    equal(await t.attempts() - before, 1, `attempts after ${code}`);
    equal(of(client, "state").at(-1), { state: "closed", code, reason: "why", retryAt: null });
    const errors = of(client, "error").map(({ error }) => [error instanceof ClosedError, error.code, error.reason]);
    equal(errors, code === 1000 ? [] : [[true, code, "why"]]);
  }
});

test("an error of one connection is no reason for the end of another", async (t) => {
  const { client, server } = await t.online();
  await server.send({ error: "too loud" });
  await server.close(1011);
  const next = await t.welcome({ recovered: true });
  await next.close(1011);
  await t.welcome({ recovered: true });
  const reasons = of(client, "state").filter(({ state }) => state === "offline").map(({ reason }) => reason);
  equal(reasons, ["too loud", ""]);
});

test("the server's advice is followed, once", async (t) => {
  t.chance(1);
  const { client, server } = await t.online({ backoff: { ...unhurried, base: 200 } });
  await until("it is online", () => client.state === "online");
  await server.send({ reconnect: { after: 1500 } });
  near(await nextWait(client, () => server.close(1012)), 1700, "the wait");
  equal(await t.attempts(), 1);
  await t.refuse(503);
  near(await nextWait(client, () => client.reconnect()), 400, "the wait after the next failure");
});

test("advice is followed for real, not before and soon after", async (t) => {
  const { client, server } = await t.online({ backoff: { base: 20 } });
  await until("it is online", () => client.state === "online");
  await server.send({ reconnect: { after: 60 } });
  const start = Date.now();
  await server.close(1012);
  await t.welcome({ recovered: true });
  const took = Date.now() - start;
  ok(took >= 58, `it came after ${took} ms`);
});

test("advice that makes no sense", async (t) => {
  t.chance(1);
  for (const [after, want] of [[-5000, 1000], ["soon", 1000], [1e12, 3_601_000]]) {
    const { client, server } = await t.online({ backoff: unhurried });
    await server.send({ reconnect: { after } });
    near(await nextWait(client, () => server.close(1012)), want, `the wait after ${after}`);
    client.close();
  }
});

test("reconnect changes the connection at once, whatever it waits for", async (t) => {
  const { client, server } = await t.online();
  await until("it is online", () => client.state === "online");
  client.reconnect();
  equal(await server.receive(), { closed: 4900 }); // 1000 would be a goodbye
  const second = await t.welcome({ recovered: true });
  await until("it is online", () => client.state === "online");
  await second.send({ reconnect: { after: 60_000 } });
  await second.close(1012);
  await until("it is offline", () => client.state === "offline");
  client.reconnect();
  await t.welcome({ recovered: true });
  await until("it is online", () => client.state === "online");
  client.close();
  client.reconnect();
  await t.welcome({ recovered: true });
  await until("it is online", () => client.state === "online");
  equal(of(client, "connected").length, 4);
});

test("close ends the wait", async (t) => {
  t.chance(1);
  const { client, server } = await t.online({ backoff: { base: 20, max: 20 } });
  client.addEventListener("state", ({ state }) => { if (state === "offline") client.close(); });
  await until("it is online", () => client.state === "online");
  await server.cut();
  await until("it is closed", () => client.state === "closed");
  await sleep(40);
  equal([client.state, await t.attempts()], ["closed", 1]);
});
