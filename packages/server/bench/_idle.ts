/* What a server costs while nobody asks, and what many idle connections cost those who do. */
import { AF_INET, SOCK_STREAM } from "@xsocket/protocol";
import { errno, loadSyscalls } from "@xsocket/xbind-native";
import { Contender } from "./_contender.ts";
import { load, median, PINNED } from "./_load.ts";
import { mb, printTable, us } from "./_table.ts";

const START_SECONDS = 5; // then the start is over for Bun as well, which collects its garbage once
const IDLE_SECONDS = 10;
const CONNECTIONS = 10_000;
const ROUNDS = 7;
const SECONDS = 0.3;

/** The result of {@link measureIdle}. */
export interface Idle {
  /** Resident memory in MB after the first request. */
  readonly residentMb: number;
  /** Wake-ups in ten idle seconds, of each thread that had some. */
  readonly wakeUps: Readonly<Record<string, number>>;
  readonly connections: number;
  /** The time in microseconds of a request on a new connection, without and with them. */
  readonly withoutUs: number;
  readonly withUs: number;
  /** Kernel memory is not in it: a connection is a socket there as everywhere. */
  readonly residentBytesEach: number;
}

async function wakeUpsWhileIdle(server: Contender): Promise<Record<string, number>> {
  await Bun.sleep(START_SECONDS * 1000);
  const before = server.wakeUps();
  await Bun.sleep(IDLE_SECONDS * 1000);
  const after = server.wakeUps();
  return Object.fromEntries(
    [...after]
      .map(([thread, count]): [string, number] => [thread, count - (before.get(thread) ?? 0)])
      .filter(([, count]) => count > 0),
  );
}

async function requestUs(server: Contender): Promise<number> {
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round++)
    rounds.push((await load(server, "call", 1, SECONDS, PINNED)).p50);
  return median(rounds);
}

/* Connections that have asked once, as a client library keeps them. */
function openIdle(path: string): number[] {
  const native = loadSyscalls();
  const open: number[] = [];
  while (open.length < CONNECTIONS) {
    const connection = native.handoverConnect(path, 5000);
    if (connection < 0) {
      if (connection === -errno.EMFILE) return open;
      throw new Error(`cannot open connection ${open.length}: ${connection}`);
    }
    native.handoverSend(connection, AF_INET, SOCK_STREAM, 0);
    native.close(native.handoverReceive(connection, AF_INET, SOCK_STREAM, 0, 5000));
    open.push(connection);
  }
  return open;
}

/** Measures a server that nobody uses, and one whose clients are nearly all idle. */
export async function measureIdle(path: string): Promise<Idle> {
  await using server = await Contender.ours("idle", path, 1);
  const wakeUps = await wakeUpsWhileIdle(server);
  const residentMb = server.residentMb();
  await load(server, "call", 4, 1);
  server.pin(); // on two processors, waking the other one takes longer than the request, at times
  const withoutUs = await requestUs(server);
  const before = server.residentMb();
  const open = openIdle(path);
  const residentBytesEach = ((server.residentMb() - before) * 2 ** 20) / open.length;
  const withUs = await requestUs(server);
  for (const connection of open) loadSyscalls().close(connection);
  printTable(
    ["idle server", ""],
    [
      ["resident with one thread, after its first request", mb(residentMb)],
      ["the same after some load", mb(before)],
      [`wake-ups in ${IDLE_SECONDS} s`, JSON.stringify(wakeUps)],
      ["a request on a new connection", us(withoutUs)],
      [
        `the same with ${open.length} idle connections`,
        `${us(withUs)}, ${(withUs / withoutUs).toFixed(2)} times`,
      ],
      ["resident memory for each of those", `${residentBytesEach.toFixed(0)} bytes`],
    ],
  );
  return { residentMb, wakeUps, connections: open.length, withoutUs, withUs, residentBytesEach };
}
