import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { AF_INET, encode, SOCK_STREAM } from "@xsocket/protocol";
import { loadSyscalls } from "@xsocket/xbind-native";
import { tempDir } from "../../../tests/harness/temp.ts";
import { eventually } from "../../../tests/harness/wait.ts";
import { RawClient } from "../../../tests/server/raw.ts";
import { fitBounds } from "../src/bounds.ts";
import type { LogRecord } from "../src/log.ts";
import { createMemory } from "../src/memory/memory.ts";
import { Shared } from "../src/memory/shared.ts";
import { DEFAULT_POLICY } from "../src/policy/builtin.ts";
import type { Rule } from "../src/policy/rule.ts";
import { type Common, Pool } from "../src/pool/pool.ts";
import { claimAt } from "./claim.ts";
import { DIES, DIES_LOCKED, THROWS } from "./failing-worker.ts";

const sys = loadSyscalls();
const DESCRIPTORS = 1024;
/** The protocols that a pool allows. */
export const PROTOCOLS = [THROWS, DIES, DIES_LOCKED, 0];
const FAILING = new URL("failing-worker.ts", import.meta.url);
/** The program of the threads, as a string of a program in TypeScript. */
export const FAILING_TEXT = JSON.stringify(fileURLToPath(FAILING));

/** A pool of threads that fail on demand, at a path. */
export async function failingPool(
  threads: number,
  quotas: Partial<Rule> = {},
  poolSys = sys,
  script = FAILING,
) {
  await using stack = new AsyncDisposableStack();
  const path = stack.use(tempDir()).join("control");
  const claim = stack.use(claimAt(path));
  const bounds = fitBounds({}, DESCRIPTORS, threads);
  const memory = createMemory(DESCRIPTORS, threads);
  const records: LogRecord[] = [];
  const common: Common = {
    listenFd: claim.listenFd,
    ownsListener: true,
    memory,
    bounds,
    about: { address: path, file: undefined, namespace: undefined, startedAt: 0 },
    auditFd: -1,
    logLevel: "info",
    uid: process.geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
  };
  const shared = new Shared(memory);
  const rule = DEFAULT_POLICY.rules[0];
  const policy = {
    source: "the test",
    rules: rule ? [{ ...rule, protocols: PROTOCOLS, types: [SOCK_STREAM], ...quotas }] : [],
  };
  const pool = new Pool(poolSys, shared, common, policy, (record) => records.push(record), script);
  stack.defer(() => pool.stop());
  await pool.start();
  const owned = stack.move();
  return {
    path,
    listenFd: claim.listenFd,
    shared,
    records,
    policy,
    follow: (next = policy) => pool.follow(next),
    areAnswering: () => pool.areAnswering(),
    /** Waits until it has logged that many records. */
    logged: (count: number) => eventually(`${count} log records`, () => records.length >= count),
    /** Waits until it has no connections. */
    emptied: () => eventually("all connections to end", () => shared.connections() === 0),
    lost: pool.lost,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A program of its own for the threads of one pool. */
export function programFile(directory: string): { file: string; url: URL } {
  const file = join(directory, "worker.ts");
  writeFileSync(file, `import ${FAILING_TEXT};\n`);
  return { file, url: pathToFileURL(file) };
}

/** A request at which a thread fails, by its protocol. */
export function request(protocol: number): Uint8Array {
  return encode({ kind: "request", domain: AF_INET, type: SOCK_STREAM, protocol });
}

/** Asks on a new connection, which may wait in the backlog until this thread has started another one. */
export async function askAgain(path: string): Promise<number> {
  using client = new RawClient(path);
  client.send();
  await eventually("an answer", () => client.isReadable());
  return client.reply();
}
