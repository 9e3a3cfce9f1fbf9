/* Agents for the clients of Node's node:http and node:https, and their signals. */
import { expect, test } from "bun:test";
import { getEventListeners, once } from "node:events";
import * as http from "node:http";
import * as https from "node:https";
import { BlockList } from "node:net";
import * as tls from "node:tls";
import { HttpAgent, HttpsAgent, listen, nodeListen, serve } from "@xsocket/client";
import { eventually, here, startServer } from "../harness/index.ts";
import { webCertificate } from "./certificate.ts";
import { portOf } from "./observed.ts";
import { SilentServer } from "./silent.ts";

test("Bun's undici and node-fetch do not use a given agent, as sdk.md says", async () => {
  const program = `
    import fetch from "node-fetch";
    import { Agent, request } from "undici";
    import { HttpAgent, nodeConnect } from "@xsocket/client";
    using server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("own") });
    const through = { via: "/run/xsocket/nowhere" };
    const connect = ({ hostname: host, port }, done) =>
      nodeConnect({ ...through, host, port }).then((socket) => done(null, socket), done);
    console.log(await (await fetch(server.url, { agent: new HttpAgent(through) })).text());
    const { body } = await request(server.url, { dispatcher: new Agent({ connect }) });
    console.log(await body.text());`;
  const ended = await here.run([process.execPath, "-e", program]);
  expect(ended.stdout, ended.stderr).toBe("own\nown\n");
});

test("HttpsAgent checks the certificate against servername, and its timeoutMs does not limit the answer", async () => {
  const { key, cert } = await webCertificate();
  await using server = await startServer();
  const via = server.path;
  await using web = await serve({
    via,
    port: 0,
    tls: { key, cert },
    async fetch() {
      await Bun.sleep(3500);
      return new Response("hello");
    },
  });
  const { signal } = new AbortController();
  const limits = { signal, timeoutMs: 3000 };
  const agent = new HttpsAgent({ via, lookup: () => ["127.0.0.1"], ...limits });
  const outcome = (host: string, servername: string) =>
    new Promise<unknown>((resolve) => {
      https
        .get({ host, servername, port: web.port, ca: cert, agent }, (answer) =>
          resolve(answer.resume().statusCode),
        )
        .on("error", (error) => resolve(Reflect.get(error, "code")));
    });
  expect(await outcome("other.test", "web.test")).toBe(200);
  expect(await outcome("web.test", "other.test")).toBe("ERR_TLS_CERT_ALTNAME_INVALID");
  const listeners = () => getEventListeners(signal, "abort").length;
  await eventually("nobody to listen to the signal", () => listeners() === 0);
  agent.destroy();
});

const hello = (): Response => new Response("hello");

/* The events of a request's socket, until the answer is there. */
async function emitted(asked: http.ClientRequest): Promise<string[]> {
  const seen: string[] = [];
  asked.once("socket", (socket) => {
    seen.push("socket");
    for (const name of ["connect", "ready", "secureConnect"])
      socket.on(name, () => seen.push(name));
  });
  asked.once("response", (answer) => void answer.resume());
  await once(asked, "close");
  return seen;
}

test("HttpsAgent sends the host as SNI, servername in its place, and none for an empty one or an address", async () => {
  const { key, cert } = await webCertificate();
  await using server = await startServer();
  const names: unknown[] = [];
  await using web = tls.createServer({ key, cert }, (client) => {
    names.push(client.servername);
    client.once("data", () => client.end("HTTP/1.1 204 None\r\nconnection: close\r\n\r\n"));
  });
  await nodeListen(web, { via: server.path, host: "127.0.0.1" });
  const agent = new HttpsAgent({ via: server.path, lookup: () => ["127.0.0.1"] });
  for (const to of [
    { host: "web.test" },
    { host: "127.0.0.1", servername: "web.test" },
    { host: "web.test", servername: "" },
    { host: "127.0.0.1" },
  ])
    await once(https.get({ ...to, port: portOf(web), ca: cert, agent }), "response");
  expect(names).toEqual(["web.test", "web.test", false, false]); // false for none
  agent.destroy();
});

test("a socket of an agent emits connect and ready once its request has it, as one of Node's agents does", async () => {
  const { key, cert } = await webCertificate();
  await using server = await startServer();
  const via = server.path;
  await using web = await serve({ via, port: 0, fetch: hello });
  await using secureWeb = await serve({ via, port: 0, tls: { key, cert }, fetch: hello });
  const plain = { host: "127.0.0.1", port: web.port };
  const secure = { host: "127.0.0.1", port: secureWeb.port, servername: "web.test", ca: cert };
  const seen = {
    node: await emitted(http.get({ ...plain, agent: new http.Agent() })),
    ours: await emitted(http.get({ ...plain, agent: new HttpAgent({ via }) })),
    nodeSecure: await emitted(https.get({ ...secure, agent: new https.Agent() })),
    oursSecure: await emitted(https.get({ ...secure, agent: new HttpsAgent({ via }) })),
  };
  expect(seen.node).toEqual(["socket", "connect", "ready"]);
  expect(seen.ours).toEqual(seen.node);
  expect(seen.nodeSecure).toEqual(["socket", "connect", "ready", "secureConnect"]);
  expect(seen.oursSecure).toEqual(seen.nodeSecure);
});

test("the signal of an HttpsAgent ends a TLS handshake", async () => {
  await using server = await startServer();
  const via = server.path;
  const [greeted, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  using silent = await listen({
    via,
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: () => greeted.resolve(), close: () => closed.resolve() },
  });
  const given = new AbortController();
  const agent = new HttpsAgent({ via, signal: given.signal });
  const asked = https.get({ host: "127.0.0.1", port: silent.port, agent });
  const failure = once(asked, "error");
  await greeted.promise;
  const reason = new Error("enough");
  given.abort(reason);
  expect(await failure).toEqual([reason]);
  await closed.promise;
});

test("a signal among an agent's own options ends its connections, as with http.Agent", async () => {
  await using server = await startServer();
  let asked = 0;
  await using web = await serve({
    via: server.path,
    port: 0,
    fetch: () => new Promise<Response>(() => asked++), // never answers
  });
  const outcome = (agent: http.Agent) =>
    new Promise<unknown>((resolve) => {
      const request = http.get({ host: "127.0.0.1", port: web.port, agent });
      request.once("error", ({ name, cause }) => resolve([name, cause]));
    });
  const { path: via } = server;
  for (const make of [
    (options: object) => new http.Agent(options),
    (options: object) => new HttpAgent({ via }, options),
  ]) {
    const controller = new AbortController();
    const agent = make({ signal: controller.signal }); // not in the types, but net.connect heeds it
    const before = asked;
    const ended = outcome(agent);
    await eventually("the request to arrive", () => asked > before);
    controller.abort("enough");
    expect(await ended).toEqual(["AbortError", "enough"]);
    expect(await outcome(agent)).toEqual(["AbortError", "enough"]); // of a connection that is asked for later, too
    const without = make({ signal: false });
    const asBefore = asked;
    const open = outcome(without);
    await eventually("a request without a signal to arrive", () => asked > asBefore);
    without.destroy();
    await open;
  }
});

test("a signal among an agent's own options ends a connection that is being made", async () => {
  using server = new SilentServer(0);
  const controller = new AbortController();
  const own = { signal: controller.signal } as object;
  const agent = new HttpAgent({ via: server.path, timeoutMs: 2000 }, own);
  const request = http.get({ host: "127.0.0.1", port: 80, agent });
  controller.abort("enough");
  const [error] = await once(request, "error");
  expect(error).toMatchObject({ name: "AbortError", code: "ABORT_ERR", cause: "enough" });
});

test.each([null, 0, "enough"])(
  "an agent's signal that aborts with %p ends requests with that reason, or AbortError if it is falsy",
  async (reason) => {
    await using server = await startServer();
    const via = server.path;
    const greeted = Promise.withResolvers<void>();
    const socket = { data: () => greeted.resolve() };
    using silent = await listen({ via, hostname: "127.0.0.1", port: 0, socket });
    const given = new AbortController();
    const lookup = async (): Promise<string[]> => greeted.promise.then(() => []);
    const plain = new HttpAgent({ via, signal: given.signal, lookup });
    const secure = new HttpsAgent({ via, signal: given.signal });
    const failures = [
      once(http.get({ host: "silent.test", agent: plain }), "error"),
      once(https.get({ host: "127.0.0.1", port: silent.port, agent: secure }), "error"),
    ];
    await greeted.promise;
    given.abort(reason);
    failures.push(once(http.get({ host: "127.0.0.1", agent: plain }), "error"));
    for (const failure of failures) {
      const [error] = await failure;
      expect(error).toEqual(reason || expect.objectContaining({ name: "AbortError" }));
    }
  },
);

test("HttpAgent takes a timeout that is no number for none, as http.Agent does", async () => {
  await using server = await startServer();
  await using web = await serve({ via: server.path, port: 0, fetch: () => new Response("hello") });
  const options: http.AgentOptions = { timeout: Number("soon") };
  const agents = [new http.Agent(options), new HttpAgent({ via: server.path }, options)];
  for (const agent of agents) {
    const asked = http.get({ host: "127.0.0.1", port: web.port, agent });
    const [answer] = await once(asked, "response");
    expect(Reflect.get(answer.resume(), "statusCode")).toBe(200);
    agent.destroy();
  }
});

test.each([HttpAgent, HttpsAgent])(
  "%p takes null for the options of Node's own agent, as that does",
  (Agent) => {
    const agent = new Agent({ via: "/run/xsocket/nowhere" }, JSON.parse("null"));
    expect(agent.maxSockets).toBe(new http.Agent(JSON.parse("null")).maxSockets);
    agent.destroy();
  },
);

test.each(
  Object.entries({
    blockList: new BlockList(),
    fd: 0,
    family: 6,
    lookup() {},
    socketPath: "/run/nowhere",
  }),
)("agents and their requests refuse %s, which net.connect would heed", (name, value) => {
  const option = { [name]: value };
  const through = { via: "/run/xsocket/nowhere" };
  const refused = expect.objectContaining({ code: "ENOTSUP", step: "options" });
  const agents = { plain: new HttpAgent(through), secure: new HttpsAgent(through) };
  expect(() => http.get({ ...option, agent: agents.plain })).toThrow(refused);
  expect(() => https.get({ ...option, agent: agents.secure })).toThrow(refused);
  const own: https.AgentOptions = Object.assign({}, option);
  expect(() => http.get({ agent: new HttpAgent(through, own) })).toThrow(refused);
  expect(() => https.get({ agent: new HttpsAgent(through, own) })).toThrow(refused);
});

test.each([null, 0])(
  "agents take %p for none of what they refuse, as net.connect",
  async (none) => {
    const options = { blockList: none, family: none, lookup: none, socketPath: none };
    const through = { via: "/run/xsocket/nowhere" };
    for (const [get, agent] of [
      [http.get, new HttpAgent(through)],
      [https.get, new HttpsAgent(through)],
    ] as const) {
      const [error] = await once(Reflect.apply(get, undefined, [{ ...options, agent }]), "error");
      expect(error).toMatchObject({ code: "ENOENT", step: "reach" });
    }
  },
);
