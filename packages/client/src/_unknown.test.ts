import { expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { THROUGH_KEYS } from "./_through.ts";
import { refuseMisspelt, refuseUnknown } from "./_unknown.ts";
import {
  connect,
  fetchVia,
  HttpAgent,
  listen,
  nodeBind,
  nodeConnect,
  nodeListen,
  serve,
  Session,
  udp,
} from "./index.ts";

test("an option that is undefined counts as not given", () => {
  expect(() => refuseUnknown("try", { odd: undefined }, ["via"])).not.toThrow();
  expect(() => refuseUnknown("try", { odd: 1 }, ["via"])).toThrow("there is no option odd");
});

test("options that are not an object are refused", () => {
  for (const refuse of [refuseUnknown, refuseMisspelt])
    for (const none of [undefined, null, "via"])
      expect(() => refuse("try", none, ["via"])).toThrow("the options are");
});

test("two swapped letters count as one mistake, two other letters as two", () => {
  expect(() => refuseMisspelt("try", { prot: 1 }, ["port"])).toThrow("Did you mean port?");
  expect(() => refuseMisspelt("try", { pxot: 1 }, ["port"])).not.toThrow();
});

test("misspelt options of the SDK are refused, and other unknown ones are left to Bun", async () => {
  const socket = { data() {} };
  const common = [...THROUGH_KEYS, "host", "hostname", "port", "reusePort", "ipv6Only"];
  const besideBuns: [(options: object) => unknown, string[]][] = [
    [(o) => connect({ socket, hostname: "::", port: 1, ...o }), ["localAddress", "localPort"]],
    [(o) => listen({ socket, port: 0, ...o }), ["backlog"]],
    [(o) => serve({ fetch: () => new Response(), ...o }), ["backlog"]],
    [(o) => udp(o), ["reuseAddr"]],
  ];
  const forms: [(options: object) => unknown, object, string][] = [
    ...besideBuns.flatMap(([form, names]) =>
      [...common, ...names].map((name): (typeof forms)[number] => {
        const swapped = name.replace(/^(.)(.)/, "$2$1");
        return [form, { [swapped]: 1 }, name];
      }),
    ),
    [(o) => new Session(o), { idlems: 5 }, "idleMs"],
    [(o) => new Session({ via: "/x" }).socket(o), { timeoutms: 5 }, "timeoutMs"],
    [(o) => udp(o), { timeout: 5 }, "timeoutMs"],
    [(o) => udp(o), { Via: "/x" }, "via"],
    [(o) => nodeConnect({ port: 1, ...o }), { hosts: "x" }, "host"],
    [(o) => nodeListen(createServer(), o), { backlogs: 5 }, "backlog"],
    [(o) => nodeBind(createSocket("udp4"), o), { reuseaddr: true }, "reuseAddr"],
    [(o) => fetchVia("/x", o), { lookUp: () => [] }, "lookup"],
    [(o) => new HttpAgent(o), { signals: 1 }, "signal"],
  ];
  for (const [form, options, name] of forms) {
    const failing = async (): Promise<unknown> => form(options);
    await expect(failing(), name).rejects.toMatchObject({ code: "EINVAL", step: "options" });
    await expect(failing(), name).rejects.toThrow(`Did you mean ${name}?`);
  }
  const more = { socket, via: "/nowhere", port: 0, somethingOfBuns: 1 };
  await expect(listen(more)).rejects.toMatchObject({ code: "ENOENT" });
});
