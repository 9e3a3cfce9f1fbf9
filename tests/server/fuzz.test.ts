/* Random and mutated packets with random descriptors, sent to a running server. */
import { expect, test } from "bun:test";
import { closeSync, constants, openSync, readFileSync } from "node:fs";
import { AF_INET, AF_UNIX, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM } from "@xsocket/protocol";
import { askStatus } from "@xsocket/server";
import { eventually, startServer, tempDir } from "../harness/index.ts";
import { numbersFrom } from "../harness/numbers.ts";
import { ATTACHED_MAX, sendAttached } from "./attach.ts";
import { askOnce, crowd, native, RawClient, REQUEST } from "./raw.ts";

const SECONDS = 20;
const GOOD_EVERY = 1000; // packets
const QUOTA = 300; // connections at once, reached only if closed ones still count
const SEED = process.env["FUZZ_SEED"] ?? String(Date.now());

type Dice = ReturnType<typeof numbersFrom>;

/** A request with some bytes changed, or random bytes. */
function packet(dice: Dice): Uint8Array {
  if (dice(2) === 0) {
    const bytes = REQUEST.slice();
    for (let left = dice(3); left > 0; left--) bytes[dice(bytes.length)] = dice(256);
    return bytes;
  }
  const length = dice(20) === 0 ? dice(5000) : dice(40);
  return new Uint8Array(new ArrayBuffer(length)).map(() => dice(256));
}

/** Descriptors of many kinds, to attach to packets. */
function attachable(path: string): number[] {
  return [
    native.socket(AF_INET, SOCK_STREAM, 0),
    native.socket(AF_INET, SOCK_DGRAM, 0),
    native.socket(AF_UNIX, SOCK_SEQPACKET, 0),
    native.handoverConnect(path, 1000),
    native.epollCreate(),
    native.eventfd(),
    openSync("/dev/null", "r+"),
    openSync("/proc/self", constants.O_RDONLY | constants.O_DIRECTORY),
    openSync("/", 0o10000000), // O_PATH
  ];
}

/** Performs a random action of a client. */
function act(client: RawClient, others: readonly number[], dice: Dice): void {
  const bytes = packet(dice);
  const passed = [client.fd, ...others][dice(1 + others.length)] ?? -1;
  switch (dice(9)) {
    case 0:
      sendAttached(client.fd, bytes, passed, 1 + dice(ATTACHED_MAX));
      return;
    case 8:
      client.send(bytes, passed);
      return;
    case 1:
      client.endSending();
      return;
    case 2:
      client.reply(0);
      return;
    default:
      client.send(bytes);
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** Expects the counters of a server without other clients to agree with each other and with its audit file. */
function expectTrueCounts(path: string, auditFile: string): void {
  const { stats } = askStatus(native, path, 5000);
  const { granted, denied, failed, refusedInFlight, requests } = stats;
  expect([stats.connections, stats.inFlight]).toEqual([1, 0]); // the connection of this request
  expect(granted + denied + failed + refusedInFlight).toBe(requests);
  expect(sum(stats.latency.counts)).toBe(requests);
  expect(sum(stats.sockets.map(({ count }) => count))).toBe(granted);
  expect(sum(Object.values(stats.refusals))).toBe(denied);
  const lines = readFileSync(auditFile, "utf8").trimEnd().split("\n");
  const read = lines.map((line): { outcome: string; reason?: string } => JSON.parse(line));
  const count = (wanted: string) => read.filter(({ outcome }) => outcome === wanted).length;
  const undelivered = read.filter(({ reason }) => reason === "not delivered").length; // also counted as granted
  expect(count("granted") - undelivered).toBe(granted);
  expect(count("refused")).toBe(denied + refusedInFlight);
  expect(count("failed")).toBe(failed);
}

test(`survives 20 seconds of random packets and counts them right (FUZZ_SEED=${SEED})`, async () => {
  using directory = tempDir();
  const audit = directory.join("audit");
  const policy = `[[rule]]\naction = "allow"\nconnections = ${QUOTA}\n`;
  // A connection in a packet to itself stays open until the time limit for receiving a reply.
  const args = ["--take-reply-ms", "500", "--audit", audit];
  await using server = await startServer({ policy, args });
  const idle = server.sockets();
  await crowd(server.path, server.program.pid, 4);
  const others = attachable(server.path);
  const dice = numbersFrom(Number(SEED));
  const until = performance.now() + SECONDS * 1000;
  for (let count = 1; performance.now() < until; count++) {
    using client = new RawClient(server.path);
    for (let left = 1 + dice(4); left > 0; left--) act(client, others, dice);
    if (count % GOOD_EVERY !== 0) continue;
    expect(askOnce(server.path)).toBe(0);
    await Bun.sleep(0);
  }
  expect(askOnce(server.path)).toBe(0);
  for (const fd of others) closeSync(fd);
  await eventually("all to be closed", () => server.sockets() === idle);
  expect(server.program.stderr).not.toContain("died");
  expect(server.program.stderr).not.toContain("exception");
  expectTrueCounts(server.path, audit);
  expect(await server.stop()).toBe(0);
}, 120_000); // threads are slow to start on a busy machine
