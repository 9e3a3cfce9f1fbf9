/* Descriptors that clients attach to their requests: never received, and closed without harm. */
import { expect, test } from "bun:test";
import { errno, SO_PASSRIGHTS } from "@xsocket/xbind-native";
import {
  activated,
  eventually,
  expectSentence,
  here,
  knowsOption,
  startServer,
  tempDir,
  XSOCKET,
} from "../harness/index.ts";
import { ATTACHED_MAX, sendAttached } from "./attach.ts";
import { firstFree, limitDescriptors } from "./process.ts";
import { askOnce, RawClient, REQUEST } from "./raw.ts";

const CLOSES_WITHIN_MS = 4000; // far less than the minute that the sockets linger, even on a busy machine

test("closes one or hundreds of descriptors attached to a request at once", async () => {
  await using server = await startServer();
  const before = server.sockets();
  using passed = new RawClient(server.path); // any socket will do
  expect(passed.ask()).toBe(0);
  using client = new RawClient(server.path);
  for (const count of [1, 2, ATTACHED_MAX]) {
    expect(sendAttached(client.fd, REQUEST, passed.fd, count)).toBe(REQUEST.byteLength);
    expect(client.reply()).toBe(0);
    await eventually("the others to be closed", () => server.sockets() === before + 2);
  }
});

test("descriptors attached to requests do not count towards the server's limit", async () => {
  await using server = await startServer({ args: ["--threads", "1"] });
  const { pid } = server.program;
  const before = server.sockets();
  using passed = new RawClient(server.path);
  expect(passed.ask()).toBe(0);
  using client = new RawClient(server.path);
  expect(client.ask()).toBe(0);
  // room for a few descriptors, far fewer than come with a packet
  await limitDescriptors(pid, firstFree(pid) + 4);
  for (let round = 0; round < 20; round++) {
    sendAttached(client.fd, REQUEST, passed.fd, ATTACHED_MAX);
    expect(client.reply()).toBe(0);
    expect(passed.ask()).toBe(0);
  }
  await eventually("the last reply's copy to be closed", () => server.sockets() === before + 2);
  // also in malformed packets and in those still queued when the connection is closed
  using bad = new RawClient(server.path);
  const part = REQUEST.slice(0, -1);
  for (let i = 0; i < 5; i++) sendAttached(bad.fd, part, passed.fd, ATTACHED_MAX);
  expect(bad.isClosed(5000)).toBe(true);
  await eventually("all to be closed", () => server.sockets() === before + 2);
  expect(passed.ask()).toBe(0);
});

/* Attaches sockets that linger for a minute over unsent data, and closes its own copies. */
const LINGER = `
import array, socket, struct, sys
def lingering():
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    client = socket.create_connection(listener.getsockname())
    client.setblocking(False)
    try:
        while True: client.send(bytes(65536))
    except BlockingIOError: pass
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 60))
    return listener, client
connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
connection.connect(sys.argv[1])
listeners = []
for packet in range(5):
    made = [lingering() for _ in range(10)]
    listeners += [listener for listener, _ in made]
    fds = array.array("i", [client.detach() for _, client in made])
    connection.sendmsg([bytes.fromhex(sys.argv[2])], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
    for fd in fds: socket.close(fd)
print("attached", flush=True)
if sys.argv[3] == "close": connection.close()
sys.stdin.read()
`;

/* As by a supervisor that waits with sigwait(3) and leaves its signal mask to its children. */
const BLOCKED = `
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
os.execv(sys.argv[1], sys.argv[1:])`;

/* Ignored signals stay ignored across exec. */
const IGNORED = `
import os, signal, sys
for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])`;

const WAYS = [
  [REQUEST, "keep"],
  [REQUEST, "close"],
  [REQUEST.slice(0, 3), "keep"],
  [REQUEST.slice(0, 3), "close"],
] as const;

test.each([
  ["", [], WAYS.length],
  ["of a server that was started with all signals ignored ", ["python3", "-c", IGNORED], 1],
  ["of a server that was started with all signals blocked ", ["python3", "-c", BLOCKED], 1],
] as const)(
  "sockets that linger, attached to requests, %sdo not hold up other clients",
  async (_, before, count) => {
    await using server = await startServer({ before, args: ["--threads", "1"] });
    const { path, program } = server;
    for (const [packet, end] of WAYS.slice(0, count)) {
      const argv = ["python3", "-c", LINGER, path, packet.toHex(), end];
      await program.pause(); // so that the client's own copies are not the last ones
      await using client = here.spawn(argv, { stdin: "" });
      await client.says(/attached/);
      program.kill("SIGCONT");
      const start = performance.now();
      expect(askOnce(path)).toBe(0);
      expect(performance.now() - start).toBeLessThan(CLOSES_WITHIN_MS);
    }
  },
);

/* Since Linux 6.16. */
test.skipIf(!knowsOption(SO_PASSRIGHTS))(
  "--refuse-descriptors refuses them by path, by abstract name and on a given socket",
  async () => {
    const name = `@xsocket-refuses-${process.pid}`;
    using directory = tempDir();
    const args = ["--refuse-descriptors"];
    await using byPath = await startServer({ args });
    await using byName = await startServer({ args, path: name });
    const given = directory.join("given");
    await using _ = here.spawn(activated(given, [XSOCKET, "serve", ...args]));
    await eventually("the server", () => here.listensAt(given));
    for (const path of [byPath.path, byName.path, given]) {
      await eventually("an answer", () => askOnce(path) === 0);
      using client = new RawClient(path);
      expect(client.send(REQUEST, client.fd)).toBe(-errno.EPERM);
      expect([client.ask(), client.send(REQUEST, 0), client.ask()]).toEqual([0, -errno.EPERM, 0]);
    }
  },
);

test("--refuse-descriptors does not start where the kernel lacks SO_PASSRIGHTS", async () => {
  using directory = tempDir();
  const argv = [XSOCKET, "serve", directory.join("s"), "--refuse-descriptors"];
  const old = "inject=setsockopt:error=ENOPROTOOPT:when=1";
  const refused = await here.run(["strace", "-f", "-o/dev/null", `-e${old}`, ...argv]);
  expectSentence(refused, 1, "Linux 6.16");
});
