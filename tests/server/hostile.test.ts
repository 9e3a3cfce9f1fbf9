/* Hostile clients. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { AF_PACKET, encode, SOCK_RAW } from "@xsocket/protocol";
import { askStatus } from "@xsocket/server";
import { errno, SHUT_RD } from "@xsocket/xbind-native";
import {
  asOrdinaryUser,
  bunAsOrdinaryUser,
  descriptors,
  eventually,
  here,
  isContained,
  isRoot,
  startServer,
  tempDir,
} from "../harness/index.ts";
import { type Load, loadProgram, runLoad } from "./load.ts";
import { firstFree, limitDescriptors, residentMb } from "./process.ts";
import { askOnce, native, rawClients, RawClient, REQUEST } from "./raw.ts";

const PACKETS_MAX = 20; // more than a socket's buffer holds

/** Sends as many requests as there is room for and receives nothing. */
function pipeline(client: RawClient): void {
  for (let i = 0; i < PACKETS_MAX && client.send() >= 0; i++);
}

/** The CPU time of a process in seconds. */
function cpuSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

test.if(isRoot && !isContained)(
  "100 clients that pipeline and never receive do not block an unprivileged server",
  async () => {
    using directory = tempDir();
    const script = `import { serve, untilSignal } from "@xsocket/server";
    await untilSignal(serve({ address: process.argv[1], mode: 0o666, sharedDirectory: true }));`;
    using socket = tempDir(0o1777);
    const path = socket.join("control");
    const argv = [
      "prlimit",
      "--nofile=1024",
      "--",
      ...bunAsOrdinaryUser(directory, ["--cwd=tests", "-e", script, path]),
    ];
    await using server = here.spawn(argv);
    await eventually("the server", () => server.stderr !== "" || here.listensAt(path));
    expect(server.stderr).toBe("");
    using clients = rawClients(path, 100);
    for (const client of clients) pipeline(client);
    for (let i = 0; i < 2000; i++) expect(askOnce(path)).toBe(0);
    for (const client of clients) expect(client.reply()).toBe(0);
  },
);

test.if(isRoot && !isContained)(
  "answers and logs ETOOMANYREFS when servers of the same user have too many in flight",
  async () => {
    using socket = tempDir(0o1777);
    const before = asOrdinaryUser(["prlimit", "--nofile=160", "--"], 4303);
    const args = ["--mode", "666", "--shared-directory"];
    await using all = new AsyncDisposableStack();
    for (let i = 0; i < 3; i++) {
      const path = socket.join(`${i}`);
      const { program } = all.use(await startServer({ forEveryone: true, before, path, args }));
      const clients = all.use(rawClients(path, 56));
      for (const client of clients) client.send();
      for (const client of clients) await eventually("a reply", () => client.isReadable());
      if (i < 2) continue;
      expect(clients.map((client) => client.reply())).toContain(-errno.ETOOMANYREFS);
      await program.says(/cannot hand sockets over for now: ETOOMANYREFS\. .*LimitNOFILE=/);
    }
  },
);

test("answers EMFILE at the descriptor limit, does not spin, and recovers", async () => {
  await using server = await startServer({ args: ["--threads", "1"] });
  expect(askOnce(server.path)).toBe(0);
  const { pid } = server.program;
  // Bun closes some of its own after the start, so the limit is set until it has an effect.
  const hears = (ask: () => number) =>
    eventually("EMFILE", async () => {
      await limitDescriptors(pid, firstFree(pid));
      return ask() === -errno.EMFILE;
    });
  using kept = new RawClient(server.path);
  expect(kept.ask()).toBe(0);
  await hears(() => kept.ask()); // no descriptor for the socket
  await hears(() => {
    using client = new RawClient(server.path); // none for the connection
    client.send();
    return client.reply();
  });
  const before = cpuSeconds(server.program.pid);
  using waiting = rawClients(server.path, 5);
  for (const client of waiting) client.send();
  await Bun.sleep(1000);
  expect(cpuSeconds(server.program.pid) - before).toBeLessThan(0.3);
  await limitDescriptors(pid, 1024);
  await eventually("the server to recover", () => askOnce(server.path) === 0);
  expect(kept.ask()).toBe(0);
});

test("1,000 stuck clients of one user do not slow down another", async () => {
  using directory = tempDir();
  const program = loadProgram(directory);
  await using server = await startServer({ args: ["--mode", "0666"] });
  const load: Load = { mode: "call", callers: 1, seconds: 0.4 };
  const measure = async () => {
    const { failed, said, p99 } = await runLoad(program, server.path, load);
    expect([failed, said]).toEqual([0, ""]);
    return p99;
  };
  await measure(); // warm
  const usual: number[] = [];
  const beside: number[] = [];
  // The best of each, since other load can only make them longer, or the middle one of the rounds'
  // ratios, since a single round without other load says nothing of the others.
  const slowdown = () => {
    const ratios = beside.map((p99, i) => p99 / (usual[i] ?? 0)).toSorted((a, b) => a - b);
    const middle = ratios[ratios.length >> 1] ?? Infinity;
    return Math.min(Math.min(...beside) / Math.min(...usual), middle);
  };
  for (let round = 0; round < 4 || (round < 12 && slowdown() >= 2); round++) {
    usual.push(await measure());
    using clients = rawClients(server.path, 1000);
    for (const [i, client] of clients.entries()) {
      if (i % 3 === 1) client.send(REQUEST.slice(0, 8));
      if (i % 3 === 2) pipeline(client);
    }
    beside.push(await measure());
  }
  expect(slowdown(), `p99 in us: ${usual.join()}, beside them ${beside.join()}`).toBeLessThan(2);
});

/* A request for a packet socket, and a rule that allows it. */
const PACKET = encode({ kind: "request", domain: AF_PACKET, type: SOCK_RAW, protocol: 0 });
const PACKET_RULE = '[[rule]]\naction = "allow"\nfamily = "AF_PACKET"\ntype = "raw"\n';

test.if(isRoot).each([
  ["hangs up", (client: RawClient) => client.close()],
  ["receives nothing any more", (client: RawClient) => native.shutdown(client.fd, SHUT_RD)],
] as const)(
  "a client that asks for packet sockets and %s does not hold up others",
  async (_, leave) => {
    using clients = new DisposableStack();
    const policy = `[[rule]]\naction = "allow"\n${PACKET_RULE}`;
    await using server = await startServer({ policy });
    await server.program.pause(); // so that no client is answered before it leaves
    for (let i = 0; i < 300; i++) {
      const client = clients.use(new RawClient(server.path));
      client.send(PACKET);
      leave(client);
    }
    server.program.kill("SIGCONT");
    expect(askOnce(server.path)).toBe(0);
    // each takes 10 ms to close, so few are made
    const refused = () => askStatus(native, server.path, 1000).stats.refusedInFlight;
    await eventually("most to be refused", () => refused() > 200);
  },
);

/* Asks on 300 connections for packet sockets, and has all replies dropped by a filter of the client's sockets. */
const VANISHING = `import ctypes, signal, socket, struct, sys
drop = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))
clients = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(300)]
for client in clients:
    client.connect(sys.argv[1])
    client.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HP", 1, ctypes.addressof(drop)))
    client.send(bytes.fromhex(sys.argv[2]))
signal.pause()`;

test.if(isRoot)(
  "a client whose packet sockets vanish on their way does not hold up others",
  async () => {
    await using server = await startServer({ policy: PACKET_RULE });
    await using _ = here.spawn(["python3", "-c", VANISHING, server.path, PACKET.toHex()]);
    const refused = () => askStatus(native, server.path, 1000).stats.refusedInFlight;
    await eventually("most to be refused", () => refused() > 200);
  },
);

test("leaks nothing over 1,000,000 requests and 100,000 malformed ones", async () => {
  using directory = tempDir();
  const program = loadProgram(directory);
  await using server = await startServer({ args: ["--mode", "0666"] });
  const { pid } = server.program;
  const open = server.sockets();
  const ask = async (mode: "call" | "kept", count: number) => {
    for (let asked = 0; asked < count;) {
      const done = await runLoad(program, server.path, { mode, callers: 4, seconds: 2 });
      expect([done.failed, done.said]).toEqual([0, ""]);
      asked += done.requests;
    }
  };
  await ask("call", 30_000);
  await ask("kept", 200_000); // by then all its threads have started, even on a busy machine
  const memory = residentMb(pid);
  const files = descriptors(pid).size;
  await ask("call", 200_000);
  await ask("kept", 800_000);
  const malformed = new Uint8Array(16);
  for (let i = 0; i < 100_000; i++) {
    using client = new RawClient(server.path);
    client.send(malformed);
    if (i % 100 === 0) await client.closing();
  }
  await eventually("all to be closed", () => server.sockets() === open);
  expect(descriptors(pid).size - files).toBeLessThan(8); // Bun opens and closes some of its own
  expect(residentMb(pid) - memory).toBeLessThan(16);
}, 1_200_000); // half a minute on an idle machine
