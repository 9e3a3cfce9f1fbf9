import { expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { inspect } from "node:util";
import {
  connect,
  fetchVia,
  HttpAgent,
  HttpsAgent,
  listen,
  listenSync,
  nodeBind,
  nodeConnect,
  nodeListen,
  serve,
  serveSync,
  Session,
  udp,
  xsocket,
} from "./index.ts";

test("a flag that is neither a boolean nor undefined is refused", async () => {
  const [via, port, socket] = ["/nowhere", 1, { data() {} }];
  const forms: [(options: object) => unknown, string[]][] = [
    [(o) => xsocket({ via, ...o }), ["nonblocking"]],
    [(o) => listen({ via, port, socket, ...o }), ["reusePort", "ipv6Only", "exclusive"]],
    [(o) => serve({ via, fetch: () => new Response(), ...o }), ["reusePort", "ipv6Only"]],
    [(o) => connect({ via, hostname: "::1", port, socket, ...o }), ["reusePort", "ipv6Only"]],
    [(o) => udp({ via, ...o }), ["reusePort", "reuseAddr", "ipv6Only"]],
    [(o) => nodeListen(createServer(), { via, ...o }), ["reusePort", "ipv6Only"]],
    [(o) => nodeBind(createSocket("udp6"), { via, ...o }), ["reusePort", "reuseAddr", "ipv6Only"]],
  ];
  for (const [form, names] of forms)
    for (const name of names) {
      const failing = async (value: unknown): Promise<unknown> => form({ [name]: value });
      for (const value of [1, "false"])
        await expect(failing(value), name).rejects.toThrow(`${name} is ${inspect(value)} (EINVAL)`);
      await expect(failing(undefined), name).rejects.toMatchObject({ code: "ENOENT" });
    }
});

test("an address under another name is refused, since without a host it would be every address", async () => {
  const [via, port, socket] = ["/nowhere", 1, { data() {} }];
  const forms: ((options: object) => unknown)[] = [
    (o) => listen({ via, port, socket, ...o }),
    (o) => listenSync({ via, port, socket, ...o }),
    (o) => serve({ via, fetch: () => new Response(), ...o }),
    (o) => serveSync({ via, fetch: () => new Response(), ...o }),
    (o) => udp({ via, ...o }),
    (o) => nodeListen(createServer(), { via, ...o }),
    (o) => nodeBind(createSocket("udp4"), { via, ...o }),
  ];
  for (const form of forms)
    for (const name of ["address", "localAddress", "addr", "ip"]) {
      const refusal = Promise.try(() => form({ [name]: "127.0.0.1" }));
      await expect(refusal, name).rejects.toThrow(/^cannot [^:]+: there is no option .* mean host/);
    }
});

test("an address under another name is ignored beside a host, or without a value", async () => {
  const [via, port, socket, fetch] = ["/nowhere", 1, { data() {} }, () => new Response()];
  const forms: ((options: object) => unknown)[] = [
    (o) => listen({ via, port, socket, ...o }),
    (o) => serve({ via, fetch, ...o }),
    (o) => udp({ via, ...o }),
  ];
  const spread = { address: "127.0.0.1", family: "IPv4", port: 80 }; // as address() returns it
  const given = [
    { ...spread, hostname: "127.0.0.1" },
    { ...spread, host: "::1" },
    { ip: undefined },
  ];
  for (const form of forms)
    for (const options of given) {
      const attempt = Promise.try(() => form(options));
      await expect(attempt).rejects.toMatchObject({ code: "ENOENT" }); // of the server
    }
});

test("an agent refuses proxyEnv, which would be ignored", () => {
  const options = { proxyEnv: { HTTPS_PROXY: "http://127.0.0.1:1" } };
  const refusal = expect.objectContaining({ code: "ENOTSUP", step: "options" });
  for (const form of [HttpAgent, HttpsAgent])
    expect(() => Reflect.construct(form, [{}, options])).toThrow(refusal);
});

test("an option that has another place is refused with that place", () => {
  for (const form of [HttpAgent, HttpsAgent])
    expect(() => Reflect.construct(form, [{ keepAlive: true }])).toThrow(
      "there is no option keepAlive (EINVAL). There are via, signal, timeoutMs, lookup, nameservers; those of Node's own agent go into a second argument.",
    );
  expect(() => Reflect.apply(fetchVia, undefined, ["/x", { tls: {} }])).toThrow(
    "there is no option tls (EINVAL). There are timeoutMs, lookup, nameservers; those of a request go into the call of the fetch that is made.",
  );
});

test("an agent can be made without arguments, as node:http's can", () => {
  for (const agent of [new HttpAgent(), new HttpsAgent()]) agent.destroy();
});

test("an invalid value is refused by name", async () => {
  const socket = { data() {} };
  // as Express makes one
  const application = Object.assign(() => {}, { listen: () => createServer(), on() {}, once() {} });
  const wrong: [() => unknown, string][] = [
    [() => xsocket({ signal: Object(5) }), "signal is"],
    [() => new Session({ idleMs: Number.NaN }), "idleMs is NaN"],
    [() => new Session({ idleMs: Object(5) }), "idleMs is [Number"],
    [() => nodeConnect({ port: Number.NaN }), "port is NaN"],
    [() => connect({ hostname: Object(5), port: 1, socket }), "hostname is"],
    [() => udp({ hostname: Object(5) }), "hostname is"],
    [() => serve({ backlog: -5, fetch: () => new Response() }), "backlog is -5"],
    [() => Reflect.apply(nodeListen, undefined, [5]), "the server is 5"],
    [() => Reflect.apply(nodeListen, undefined, [application]), "http.createServer(app)"],
    [() => Reflect.apply(nodeBind, undefined, []), "the socket is undefined"],
    [() => Reflect.apply(nodeBind, undefined, [createSocket]), "the socket is [Function"],
    [() => new HttpAgent({ signal: Object(5) }), "cannot make an agent: signal is"],
    [() => Reflect.construct(HttpAgent, [{ signal: console }]), "signal is [Object [console]]"],
    [() => new HttpsAgent({ timeoutMs: 0 }), "cannot make an agent: timeoutMs is 0"],
    [() => new HttpAgent({ via: Object(5) }), "via is [Number: 5]"],
    [() => fetchVia("/x", { timeoutMs: 0 }), "cannot make a fetch: timeoutMs is 0"],
    [() => udp({ timeoutMs: -1 }), "cannot receive datagrams: timeoutMs is -1"],
    [
      () => connect({ hostname: "::1", port: 1, socket, timeoutMs: NaN }),
      "cannot connect: timeoutMs",
    ],
    [() => serve({ via: Object(Symbol("x")), fetch: () => new Response() }), "via is"],
  ];
  for (const [form, found] of wrong) {
    const failing = async (): Promise<unknown> => form();
    await expect(failing(), found).rejects.toMatchObject({ code: "EINVAL", step: "options" });
    await expect(failing(), found).rejects.toThrow(found);
  }
  expect(() => Reflect.construct(Session, ["/a/path"])).toThrow("the options are '/a/path'");
  expect(() => Reflect.apply(fetchVia, undefined, [{ via: "/x" }])).toThrow("via is [Object]");
  expect(() => Reflect.construct(HttpAgent, [{ via: new URL("http://a/") }])).toThrow(
    "via is URL {}",
  );
});
