/* Our server and clients against foreign ones (tests/wire), in both roles. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Session, xsocket } from "@xsocket/client";
import {
  AF_INET,
  AF_INET6,
  IPPROTO_TCP,
  IPPROTO_UDP,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_STREAM,
} from "@xsocket/protocol";
import { codeOf, errno, loadSyscalls } from "@xsocket/xbind-native";
import {
  createNamespace,
  eventually,
  hasCookies,
  hasIpv6,
  here,
  netnsCookie,
  type Place,
  type Running,
  startServer,
  tempDir,
  vectors,
} from "./harness/index.ts";

const CLIENT = join(import.meta.dir, "wire/client.py");
const SERVER = join(import.meta.dir, "wire/server.py");

const WAIT_MS = 5000;

async function python(place: Place, argv: readonly string[]): Promise<string[]> {
  const { code, stdout, stderr } = await place.run(["python3", ...argv]);
  if (code !== 0) throw new Error(`${argv.join(" ")}: ${stderr}`);
  return stdout.trim().split("\n");
}

describe("a foreign client of our server", () => {
  const kinds = [
    { ask: [AF_INET, SOCK_STREAM, 0], is: { domain: AF_INET, type: SOCK_STREAM } },
    { ask: [AF_INET6, SOCK_STREAM, IPPROTO_TCP], is: { domain: AF_INET6, type: SOCK_STREAM } },
    { ask: [AF_INET, SOCK_DGRAM, IPPROTO_UDP], is: { domain: AF_INET, type: SOCK_DGRAM } },
    { ask: [AF_INET6, SOCK_DGRAM, 0], is: { domain: AF_INET6, type: SOCK_DGRAM } },
  ].filter(({ is }) => hasIpv6 || is.domain === AF_INET);

  test.skipIf(!hasCookies).each([[[]], [["--half-close"]]])(
    "gets all its answers in order, with the flags %j",
    async (flags) => {
      await using target = await createNamespace();
      await using server = await startServer({ place: target });
      const words = kinds.map(({ ask }) => ask.join(","));
      const lines = await python(here, [CLIENT, server.path, "ask", ...flags, ...words]);
      const cookie = String(await target.cookie());
      const answers: unknown[] = lines.map((line) => JSON.parse(line));
      expect(answers).toMatchObject(kinds.map(({ is }) => is));
      expect(answers).toMatchObject(kinds.map(() => ({ error: 0, cookie })));
    },
  );

  test("gets sockets with and without SOCK_NONBLOCK, and an error for an unknown family", async () => {
    await using server = await startServer();
    const words = [`${AF_INET},${SOCK_STREAM | SOCK_NONBLOCK},0`, `${AF_INET},${SOCK_STREAM},0`];
    const lines = await python(here, [CLIENT, server.path, "ask", ...words, "999,1,0"]);
    const answers: unknown[] = lines.map((line) => JSON.parse(line));
    expect(answers).toMatchObject([{ blocking: false }, { blocking: true }, {}]);
    // the policy may refuse an unknown family before the kernel is asked
    expect(answers[2]).toMatchObject({ error: expect.any(Number) });
  });

  test("has its connection closed for each rejected request, and the server leaks no descriptor", async () => {
    await using server = await startServer();
    const before = server.sockets();
    const good = `${AF_INET},${SOCK_STREAM},0`;
    await python(here, [CLIENT, server.path, "ask", good]);
    const rejected = vectors("reject-request-");
    expect(rejected.length).toBeGreaterThan(5);
    const packets = rejected.map(([, hex]) => hex);
    const lines = await python(here, [CLIENT, server.path, "raw", ...packets]);
    expect(lines).toEqual(rejected.map(() => "closed"));
    await eventually("the server to close", () => server.sockets() === before);
    await python(here, [CLIENT, server.path, "ask", good]);
  });

  test("gets a response for each accepted request", async () => {
    await using server = await startServer();
    const packets = vectors("accept-request-").map(([, hex]) => hex);
    const lines = await python(here, [CLIENT, server.path, "raw", ...packets]);
    for (const line of lines) expect(line).toMatch(/^58533032[0-9a-f]{8}( \d+)?$/);
    expect(lines).toHaveLength(packets.length);
  });
});

/* Starts the foreign server and waits until it listens. */
async function foreign(place: Place, path: string, args: readonly string[]): Promise<Running> {
  const server = place.spawn(["python3", SERVER, path, ...args]);
  await eventually("the foreign server", () => place.listensAt(path));
  return server;
}

/* Our two clients, told apart by their names; each returns a descriptor or -errno. */
const CLIENTS: [name: string, ask: (path: string) => Promise<number>][] = [
  [
    "libxsocket",
    (path) => Promise.resolve(loadSyscalls().handover(path, AF_INET, SOCK_STREAM, 0, WAIT_MS)),
  ],
  [
    "the SDK",
    async (path) => {
      try {
        return (await xsocket({ via: path })).take();
      } catch (error) {
        if (codeOf(error) === "EBADMSG") return -errno.EBADMSG;
        throw error;
      }
    },
  ],
];

describe.each(CLIENTS)("%s with a foreign server", (_, ask) => {
  test("gets a socket of its namespace", async () => {
    await using target = await createNamespace();
    using dir = tempDir();
    await using server = await foreign(target, dir.join("control"), []);
    const fd = await ask(dir.join("control"));
    expect(fd).toBeGreaterThanOrEqual(0);
    const cookie = netnsCookie(fd);
    loadSyscalls().close(fd);
    expect(cookie).toBe(await target.cookie());
    await server.says(/closed/);
    expect(JSON.parse(server.stdout.split("\n")[0] ?? "")).toEqual({
      domain: AF_INET,
      type: SOCK_STREAM,
      protocol: 0,
    });
  });

  const replies = vectors("reject-response-").flatMap(([name, hex]) => [
    { name: `${name} alone`, args: ["--reply", hex, "--attach"] },
    { name: `${name} with a socket`, args: ["--reply", hex, "--attach", "asked"] },
  ]);
  const attachments = [["file"], ["unix"], ["bound"], ["asked", "asked"], []].map((kinds) => ({
    name: `success with ${kinds.join(" and ") || "nothing"}`,
    args: ["--attach", ...kinds],
  }));

  test.each([...replies, ...attachments])("refuses $name as EBADMSG", async ({ args }) => {
    using dir = tempDir();
    await using server = await foreign(here, dir.join("control"), args);
    expect(await ask(dir.join("control"))).toBe(-errno.EBADMSG);
    await server.says(/closed/);
  });
});

test.each([
  ["--blocking", SOCK_NONBLOCK],
  ["--nonblocking", 0],
])(
  "the request decides whether the socket blocks, even if the server runs with %s",
  async (way, asked) => {
    using dir = tempDir();
    const path = dir.join("control");
    await using server = await foreign(here, path, [way]);
    const fd = loadSyscalls().handover(path, AF_INET, SOCK_STREAM | asked, 0, WAIT_MS);
    const flags = readFileSync(`/proc/self/fdinfo/${fd}`, "utf8").match(/^flags:\s+(\d+)$/m)?.[1];
    loadSyscalls().close(fd);
    await server.says(/closed/);
    expect(Number.parseInt(flags ?? "", 8) & SOCK_NONBLOCK).toBe(asked);
  },
);

test.each(["1", "3"])(
  "a session gets all its sockets from a server that ends each connection after %s answers",
  async (answers) => {
    using dir = tempDir();
    const path = dir.join("control");
    await using server = await foreign(here, path, ["--answers", answers]);
    using session = new Session({ via: path });
    const asked = Array.from({ length: 40 }, () => session.socket());
    for (let i = 0; i < 40; i++) {
      asked.push(session.socket());
      await Bun.sleep(i % 3);
    }
    const codes = new Set<unknown>();
    for (const one of await Promise.allSettled(asked)) {
      if (one.status === "fulfilled") one.value.close();
      else codes.add(one.reason.code);
    }
    expect([...codes]).toEqual([]);
    session.close();
    await server.says(/closed/);
  },
);
