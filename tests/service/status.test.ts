import { expect, test } from "bun:test";
import { readFileSync, renameSync } from "node:fs";
import { encode } from "@xsocket/protocol";
import { xsocketSync } from "@xsocket/client";
import { askStatus, serve } from "@xsocket/server";
import { errno, SHUT_RD } from "@xsocket/xbind-native";
import {
  asOrdinaryUser,
  eventually,
  expectSentence,
  hasCookies,
  hasIpv6,
  here,
  isChrooted,
  isRoot,
  ORDINARY_ENV,
  OWN_MACHINE,
  startServer,
  strangerAt,
  tempDir,
  typed,
  XSOCKET,
} from "../harness/index.ts";
import { SilentServer } from "../sdk/silent.ts";
import { limitDescriptors } from "../server/process.ts";
import { ASK, native, RawClient } from "../server/raw.ts";

const QUESTION = encode({ kind: "status-request" });
const WAIT_MS = 30_000; // for an answer, on a busy machine

/** Receives a packet. Returns its length, 0 at the end of the connection, or -errno. */
function heard({ fd }: RawClient): number {
  const buffer = new Uint8Array(new ArrayBuffer(70_000));
  return native.receivePacket(fd, buffer, buffer.byteLength);
}

/** Sends one packet and receives the answer. */
function answer(client: RawClient, packet: Uint8Array): number {
  client.send(packet);
  client.isReadable(WAIT_MS);
  return heard(client);
}

test.skipIf(!hasIpv6)("the status contains the counters of what was served", async () => {
  using dir = tempDir();
  const path = dir.join("control");
  await using server = await serve({ address: path, threads: 1 });
  for (let n = 0; n < 3; n++) xsocketSync({ via: path, family: 6, type: "dgram" }).close();
  const status = askStatus(native, path, WAIT_MS);
  expect(status).toMatchObject({ pid: process.pid, address: path, threads: 1 });
  expect(status.policy).toEqual({ source: "the default policy", rules: 1, outdated: false });
  expect(status.stats.granted).toBe(3);
  expect(status.stats.sockets.filter(({ count }) => count > 0)).toEqual([
    { family: "AF_INET6", type: "SOCK_DGRAM", count: 3 },
  ]);
  const { counts, sum } = status.stats.latency;
  expect(counts.reduce((total, count) => total + count, 0)).toBe(3);
  expect(sum).toBeGreaterThan(0);
  expect(status.descriptors.open).toBeGreaterThan(3);
  expect(status.uptimeSeconds).toBeWithin(0, 1000);
  expect(server.status().stats.granted).toBe(3);
});

test("the status reports a socket file that was moved or replaced", async () => {
  using dir = tempDir();
  const path = dir.join("control");
  await using server = await serve({ address: path });
  expect(server.status().unreachable).toBe(false);
  renameSync(path, dir.join("moved"));
  expect(server.status().unreachable).toBe(true);
  {
    await using other = await serve({ address: path });
    expect(other.status().unreachable).toBe(false);
    expect(server.status().unreachable).toBe(true);
  }
  expect(askStatus(native, dir.join("moved"), WAIT_MS).unreachable).toBe(true);
  renameSync(dir.join("moved"), path);
  expect(server.isReachable()).toBe(true);
});

test.skipIf(isChrooted)(
  "the status reports a network namespace that was deleted and made again under its name",
  async () => {
    using dir = tempDir();
    const script = `mount -t tmpfs run /run
    ip netns add blue && ip netns add green && ip netns del green
    ip netns exec blue "$0" serve "$1" 2>"$1.log" &
    until grep -q serving "$1.log"; do sleep 0.1; done
    prlimit --pid $! --nofile=5:; kill -HUP $! # with more than 5 open it cannot read a directory
    until grep -q reloaded "$1.log"; do sleep 0.1; done
    prlimit --pid $! --nofile=1024:
    ip netns attach other $!; ip netns del blue; ip netns add blue
    "$0" status "$1" | grep warning; grep error "$1.log"
    ip netns del other
    "$0" status "$1" | grep warning
    "$0" doctor "$1" | grep -A1 warning
    for n in 1 2; do kill -HUP $!; "$0" status "$1" >/dev/null; done
    kill $!; wait`;
    const path = dir.join("control");
    const { stdout } = await here.run([...OWN_MACHINE, "sh", "-c", script, XSOCKET, path]);
    const found = "the one named blue any more, since that was deleted";
    const [status, ...doctor] = stdout.trimEnd().split("\n");
    expect(status).toMatch(
      new RegExp(
        `^warning +the network namespace that this server serves is not ${found}: restart`,
      ),
    );
    const row = new RegExp(`^warning +namespace .* are of .*, which is not ${found}$`);
    const rows = [row, /-> restart the server if/].map((text) => expect.stringMatching(text));
    expect(doctor).toEqual(hasCookies ? rows : []);
    const said = readFileSync(`${path}.log`, "utf8").match(/error: .*/g);
    expect(said).toEqual([expect.stringContaining(`this server serves is not ${found}: restart`)]);
  },
);

test("status escapes control characters from the server, in text and JSON", async () => {
  using dir = tempDir();
  await using server = await serve({ address: dir.join("control") });
  const version = "1\u001b[2J\u009b2J\u202e\u2028";
  const status = { ...server.status(), version };
  using stranger = new SilentServer();
  const told = async (said: object, ...words: string[]) => {
    const asking = here.run([XSOCKET, "status", stranger.path, ...words]);
    const client = await stranger.accept();
    const json = Buffer.from(JSON.stringify(said));
    const packet = encode({ kind: "status-response", json });
    native.sendPacket(client, packet, packet.byteLength, -1);
    return await asking.finally(() => native.close(client));
  };
  expect((await told(status)).stdout).toContain("version 1\\x1b[2J\\x9b2J\\u202e\\u2028,");
  const { stdout } = await told(status, "--json");
  expect(stdout).toMatch(/^[ -~]+\n$/);
  expect(JSON.parse(stdout)).toMatchObject({ version });
  const other = await told({ ...status, bounds: undefined });
  expect(other.stderr).toContain("than this command (EBADMSG). Restart the server");
});

test("the status shows a limit of open files that was changed from outside", async () => {
  await using server = await startServer();
  await limitDescriptors(server.program.pid, 777);
  const { stdout } = await here.run([XSOCKET, "status", server.path]);
  expect(stdout).toMatch(/^descriptors +\d+ of 777$/m);
});

test("counts a request whose client does not receive the answer as failed", async () => {
  using dir = tempDir();
  const path = dir.join("control");
  await using server = await serve({ address: path });
  using client = new RawClient(path);
  native.shutdown(client.fd, SHUT_RD);
  client.send();
  const stats = () => server.status().stats;
  await eventually("the request", () => stats().requests === 1 && stats().connections === 0);
  expect(stats()).toMatchObject({ granted: 0, failed: 1 });
});

test("a connection may ask for status and sockets in any order", async () => {
  using dir = tempDir();
  const path = dir.join("control");
  await using server = await serve({ address: path });
  using client = new RawClient(path);
  for (let round = 0; round < 2; round++) {
    expect(answer(client, QUESTION)).toBeGreaterThan(100);
    expect(client.ask()).toBe(0);
  }
  expect(server.stats().malformed).toBe(0);
});

test("a connection that asked only for the status is not timed out", async () => {
  using dir = tempDir();
  const path = dir.join("control");
  await using server = await serve({ address: path, firstRequestMs: 1000 });
  let tries = 0;
  const ask = async () => {
    const asking = new RawClient(path);
    tries++;
    await eventually("the server to wait for a question", () => server.stats().accepted === tries);
    if (answer(asking, QUESTION) > 100) return asking;
    asking.close(); // on a busy machine the question may come too late
    return undefined;
  };
  using client = await eventually("an answer", ask);
  for (let round = 0; round < 2; round++) {
    using silent = new RawClient(path);
    await silent.closing();
    expect(heard(silent)).toBe(0);
  }
  expect(heard(client)).toBe(-errno.EAGAIN);
});

test("closes a connection whose packet is almost a status request", async () => {
  using dir = tempDir();
  const path = dir.join("control");
  await using server = await serve({ address: path });
  for (const hex of ["5853303300", "58533034", "585330330000000200000001", "58533031", "585330"]) {
    using client = new RawClient(path);
    expect(answer(client, Uint8Array.fromHex(hex))).toBe(0);
  }
  expect(server.stats().malformed).toBe(5);
});

test("status reports the user's bound of connections when refused there", async () => {
  using dir = tempDir();
  await using server = await serve({ address: dir.join("control"), maxConnectionsPerUid: 1 });
  using first = new RawClient(server.address);
  const refused = await here.run([XSOCKET, "status", server.address]);
  first.close();
  const says = "this user has as many connections to it as one user may have";
  expectSentence(refused, 1, says);
  await eventually("the first to be gone", () => server.stats().connections === 0);
  const { stdout } = await here.run([XSOCKET, "status", server.address]);
  expect(stdout).toMatch(/^closed .*, 1 refused at once$/m); // at a bound or without a descriptor
});

test("status --watch prints every second, in place on a terminal, until the server ends", async () => {
  await using server = await startServer();
  const begun = performance.now();
  const look = (TERM: string, option = "") => {
    const watch = `${typed(XSOCKET)} status --watch ${option} ${server.path}`;
    return here.spawn(["script", "-qec", watch, "/dev/null"], { env: { TERM } });
  };
  await using terminal = look("xterm");
  await using dumb = look("dumb");
  await using json = look("xterm", "--json");
  await terminal.says(/^rate /m);
  expect(performance.now() - begun).toBeGreaterThan(1000);
  expect(terminal.stdout).toContain("\n\u001B[H\u001B[Jserver ");
  await dumb.says(/^rate /m);
  await json.says(/"version"[^]*"version"/);
  expect(dumb.stdout + json.stdout).not.toContain("\u001B");
  await server.stop();
  expect(await terminal.finished()).toBe(1);
  expect(terminal.stdout).toContain("xsocket: cannot get the server's status");
});

test("status prints text, or JSON with --json", async () => {
  await using server = await startServer();
  const { stdout, code } = await here.run([XSOCKET, "status", server.path]);
  expect(stdout).toContain(`${server.path}, process ${server.program.pid}, version`);
  expect(stdout).toMatch(/^requests +0: 0 granted, 0 refused, 0 failed$/m);
  expect(code).toBe(0);
  const json: unknown = JSON.parse(
    (await here.run([XSOCKET, "status", server.path, "--json"])).stdout,
  );
  expect(json).toMatchObject({ pid: server.program.pid, address: server.path });
});

test.if(isRoot)("status refuses an abstract name held by another user", async () => {
  const name = `@xsocket-test-${process.pid}`;
  await using _ = await strangerAt(name);
  expectSentence(await here.run([XSOCKET, "status", name]), 1, "neither root nor yourself");
});

test.if(isRoot)("other users get no status unless a rule allows it", async () => {
  using dir = tempDir();
  const file = dir.join("p");
  const path = dir.join("control");
  await Bun.write(file, '[[rule]]\naction = "allow"\n');
  await using server = await startServer({ path, args: ["--mode", "0666", "--policy", file] });
  const ask = async (hex: string) => {
    const argv = asOrdinaryUser(["python3", "-c", ASK, path, hex]);
    return (await here.run(argv, { env: ORDINARY_ENV })).stdout.trim();
  };
  expect(await ask("58533033")).toBe("0");
  await Bun.write(file, '[[rule]]\naction = "allow"\nkind = "status"\nuid = 65534\n');
  server.program.kill("SIGHUP");
  await server.program.says(/reloaded: 1 rule of /);
  expect(Number(await ask("58533033"))).toBeGreaterThan(100);
  expect(await ask("58533031000000020000000100000000")).toBe("8");
});
