/*
 * Unchanged programs in a network namespace with only lo: their port opens in the target namespace
 * with libxbind, and in their own without it.
 */
import { describe, expect, test } from "bun:test";
import { SOCK_CLOEXEC, SOCK_DGRAM } from "@xsocket/protocol";
import { libraryPath } from "@xsocket/xbind-native";
import {
  createNamespace,
  eventually,
  hasCookies,
  hasIpv6,
  type Place,
  refusing,
  type Running,
  startServer,
  tempDir,
} from "./harness/index.ts";

const PORT = 3000;
const CLONE_NEWNET = 0x40000000;
const PEER = "127.0.0.9"; // the address the client talks from: the program must see this one
const PAGE = "GET / HTTP/1.0\r\nHost: test\r\n\r\n";

interface Case {
  readonly name: string;
  readonly argv: readonly string[];
  /** What the client sends, and what the program answers. */
  readonly sends: string;
  readonly gets: RegExp;
  /** What the program is given as input, if that is what it answers with. */
  readonly input?: string;
  /** What the program prints when it was sent that, if it does. */
  readonly hears?: RegExp;
  /** The program's output with the address of its peer. */
  readonly log: RegExp;
  readonly needsIpv6?: true;
}

const NODE_SERVER = `require("node:http").createServer((request, response) => {
  console.log("peer", request.socket.remoteAddress);
  response.end("from node");
}).listen(${PORT})`;

const BUN_SERVER = `Bun.serve({ port: ${PORT}, fetch(request, server) {
  console.log("peer", server.requestIP(request).address);
  return new Response("from bun");
} })`;

const CASES: readonly Case[] = [
  {
    name: "nc -l (openbsd)",
    argv: ["nc.openbsd", "-v", "-n", "-l", String(PORT)],
    input: "from nc\n",
    sends: "to nc\n",
    gets: /^from nc$/m,
    hears: /^to nc$/m,
    log: /received on 127\.0\.0\.9 /,
  },
  {
    name: "nc -l (traditional)",
    argv: ["nc.traditional", "-v", "-n", "-l", "-p", String(PORT)],
    input: "from nc\n",
    sends: "to nc\n",
    gets: /^from nc$/m,
    hears: /^to nc$/m,
    log: /from \(UNKNOWN\) \[127\.0\.0\.9\]/,
  },
  {
    name: "socat",
    argv: ["socat", "-d", "-d", `TCP-LISTEN:${PORT}`, "EXEC:cat"],
    sends: "through socat\n",
    gets: /^through socat$/m,
    log: /accepting connection from AF=2 127\.0\.0\.9:/,
  },
  {
    name: "socat, IPv6 and forking",
    argv: ["socat", "-d", "-d", `TCP6-LISTEN:${PORT},fork,reuseaddr`, "EXEC:cat"],
    sends: "through socat\n",
    gets: /^through socat$/m,
    log: /accepting connection from AF=10 \[[0:]*ffff:7f00:?0?0?09\]|127\.0\.0\.9/,
    needsIpv6: true,
  },
  {
    name: "python3 -m http.server",
    argv: ["python3", "-u", "-m", "http.server", String(PORT)],
    sends: PAGE,
    gets: /Directory listing/,
    log: /^127\.0\.0\.9 .*"GET/m,
  },
  {
    name: "a Node HTTP server",
    argv: ["node", "-e", NODE_SERVER],
    sends: PAGE,
    gets: /from node/,
    log: /peer (::ffff:)?127\.0\.0\.9/,
  },
  {
    name: "a Bun HTTP server",
    argv: [process.execPath, "-e", BUN_SERVER],
    sends: PAGE,
    gets: /from bun/,
    log: /peer (::ffff:)?127\.0\.0\.9/,
  },
];

/* A client at PEER that sends and returns what came back. */
async function talk(place: Place, sends: string): Promise<{ code: number; stdout: string }> {
  const client = ["socat", "-t", "10", "-", `TCP:127.0.0.1:${PORT},bind=${PEER}`];
  return await place.run(client, { stdin: sends });
}

async function start(place: Place, { argv, input }: Case, env = {}, cwd = "/"): Promise<Running> {
  const program = place.spawn(argv, { env, cwd, stdin: "" });
  if (input !== undefined) await program.write(input);
  await program.endInput();
  return program;
}

function preloaded(path: string): Record<string, string> {
  return { LD_PRELOAD: libraryPath("xbind"), XBIND: String(PORT), XSOCKET: path };
}

describe.each([...CASES])("$name", (one) => {
  const testable = test.skipIf(one.needsIpv6 === true && !hasIpv6);

  testable("with the library its port opens only in the target namespace", async () => {
    await using target = await createNamespace();
    await using inside = await createNamespace();
    await using server = await startServer({ place: target });
    using dir = tempDir();
    await using program = await start(inside, one, preloaded(server.path), dir.path);
    await eventually(`${PORT} to open outside`, () => target.listens("tcp", PORT));
    expect(inside.listens("tcp", PORT)).toBe(false);
    expect((await inside.run(["socat", "-u", `TCP:127.0.0.1:${PORT}`, "-"])).code).toBe(1);
    expect((await talk(target, one.sends)).stdout).toMatch(one.gets);
    await program.says(one.log);
    if (one.hears) await program.says(one.hears);
  });

  testable("without the library its port opens only in its own namespace", async () => {
    await using target = await createNamespace();
    await using inside = await createNamespace();
    await using server = await startServer({ place: target });
    const { LD_PRELOAD, ...env } = preloaded(server.path);
    expect(LD_PRELOAD).toEndWith("libxbind.so");
    await using program = await start(inside, one, env);
    await eventually(`${PORT} to open inside`, () => inside.listens("tcp", PORT));
    expect(program.stderr).not.toContain("xbind");
    expect(target.listens("tcp", PORT)).toBe(false);
    expect((await talk(target, one.sends)).code).toBe(1);
  });
});

test("a UDP program gets its datagrams from the target namespace", async () => {
  await using target = await createNamespace();
  await using inside = await createNamespace();
  await using server = await startServer({ place: target });
  const echo = ["socat", "-d", "-d", `UDP-RECVFROM:${PORT},fork`, "EXEC:cat"];
  await using program = inside.spawn(echo, { env: preloaded(server.path) });
  await eventually(`UDP ${PORT} to open outside`, () => target.listens("udp", PORT));
  expect(inside.listens("udp", PORT)).toBe(false);
  const client = ["socat", "-t", "10", "-", `UDP:127.0.0.1:${PORT},bind=${PEER}`];
  await using sender = target.spawn(client, { stdin: "" });
  await sender.write("a datagram\n");
  await sender.says(/a datagram/);
  await program.says(/127\.0\.0\.9/);
});

// AppArmor's rules for such a program may allow no other UNIX socket than the one that libxbind asks by.
test.skipIf(!hasCookies)(
  "UNIX sockets of type seqpacket are enough to know the own namespace",
  async () => {
    await using target = await createNamespace();
    await using inside = await createNamespace();
    await using server = await startServer({ place: target });
    const program = `import ctypes, socket
assert ctypes.CDLL(None).unshare(${CLONE_NEWNET}) == 0
listener = socket.create_server(("0.0.0.0", ${PORT}))
print(open("/proc/self/net/tcp").read().count(":%04X " % ${PORT}))`;
    const datagram = refusing("socket", 1, SOCK_DGRAM | SOCK_CLOEXEC, "EACCES");
    const env = { ...preloaded(server.path), XBIND: "*" };
    const { stdout, stderr } = await inside.run([...datagram, "python3", "-c", program], { env });
    expect({ stdout, stderr }).toEqual({ stdout: "1\n", stderr: "" });
  },
);
