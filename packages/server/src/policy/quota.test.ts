import { expect, test } from "bun:test";
import { Worker } from "node:worker_threads";
import { type TempDir, tempDir } from "../../../../tests/harness/temp.ts";
import { SharedLock } from "../memory/lock.ts";
import { createQuotaMemory, hasQuota, QUOTA_WINDOW_MS, type QuotaMemory, Quotas } from "./quota.ts";
import { plainRule } from "./rule.ts";

const DESCRIPTORS = 128;

/** A lock, and the word that names its holder. */
function lockOf(thread = -1) {
  const words = new Int32Array(new SharedArrayBuffer(4));
  return { lock: new SharedLock(words, 0, thread), words };
}

function quotas(rows?: number): Quotas {
  return new Quotas(createQuotaMemory(DESCRIPTORS, rows), lockOf().lock);
}

test("limits a user's sockets per minute from the first one, without effect on others", () => {
  const counts = quotas();
  const rule = plainRule("r", { socketsPerMinute: 3 });
  const take = (uid: number, now: number) => counts.take(rule, 0, uid, 5, now);
  expect([1, 2, 3, 4].map((now) => take(1000, now))).toEqual([
    undefined,
    undefined,
    undefined,
    "sockets per minute",
  ]);
  expect(take(1001, 4)).toBeUndefined();
  expect(take(1000, QUOTA_WINDOW_MS)).toBe("sockets per minute");
  expect(take(1000, QUOTA_WINDOW_MS + 1)).toBeUndefined();
});

test("counts each rule separately", () => {
  const counts = quotas(2); // so few that each is looked at
  const rule = plainRule("r", { socketsPerMinute: 1 });
  expect(counts.take(rule, 0, 7, 5, 1)).toBeUndefined();
  expect(counts.take(rule, 1, 7, 5, 1)).toBeUndefined();
  expect(counts.take(rule, 0, 7, 5, 1)).toBe("sockets per minute");
});

test("limits a user's connections but not the requests on each", () => {
  const counts = quotas();
  const rule = plainRule("r", { connections: 2 });
  const take = (fd: number) => counts.take(rule, 0, 1000, fd, 1);
  expect([10, 11, 10, 12].map((fd) => take(fd))).toEqual([
    undefined,
    undefined,
    undefined,
    "connections",
  ]);
  expect(counts.take(rule, 0, 1001, 13, 1)).toBeUndefined();
  expect([10, 10, 50].map((fd) => counts.close(fd))).toEqual([true, false, false]);
  expect([12, 14].map((fd) => take(fd))).toEqual([undefined, "connections"]);
});

test("keeps what a connection counts for if its number is another one's by now", () => {
  const { lock, words } = lockOf();
  const counts = new Quotas(createQuotaMemory(DESCRIPTORS), lock);
  const rule = plainRule("r", { connections: 1 });
  expect(counts.take(rule, 0, 1000, 10, 1)).toBeUndefined();
  const asked: (number | undefined)[] = [];
  expect(counts.close(10, () => asked.push(words[0]) < 0)).toBe(false);
  expect([asked, words[0]]).toEqual([[1], 0]); // under the lock
  expect(counts.take(rule, 0, 1000, 11, 1)).toBe("connections");
});

test("what is forgotten counts no more, and is not given back", async () => {
  const counts = quotas(1);
  const rule = plainRule("r", { socketsPerMinute: 2, connections: 1 });
  const take = (fd: number) => counts.take(rule, 0, 1000, fd, 1);
  expect([10, 10, 10].map((fd) => take(fd))).toEqual([undefined, undefined, "sockets per minute"]);
  await counts.forget();
  expect(take(11)).toBeUndefined();
  counts.close(10);
  expect([10, 12, 11].map((fd) => take(fd))).toEqual(["connections", "connections", undefined]);
  counts.close(11);
  expect(take(12)).toBe("sockets per minute"); // there is room for a connection again
});

test("counts a connection under the rule of its last request", () => {
  const counts = quotas();
  const rule = plainRule("r", { connections: 1 });
  expect(counts.take(rule, 0, 7, 10, 1)).toBeUndefined();
  expect(counts.take(rule, 1, 7, 10, 1)).toBeUndefined();
  expect(counts.take(rule, 0, 7, 11, 1)).toBeUndefined();
  expect(counts.take(rule, 0, 7, 10, 1)).toBe("connections");
});

test("a rule that does not limit connections leaves one counted where it is", () => {
  const counts = quotas();
  const limited = plainRule("r", { connections: 1 });
  const other = plainRule("s", { socketsPerMinute: 9 });
  expect(counts.take(limited, 0, 7, 10, 1)).toBeUndefined();
  expect(counts.take(other, 1, 7, 10, 1)).toBeUndefined();
  expect(counts.take(limited, 0, 7, 11, 1)).toBe("connections");
});

test("refuses new users while the table is full of users with connections", () => {
  const counts = quotas(4);
  const rule = plainRule("r", { socketsPerMinute: 9, connections: 9 });
  for (let uid = 0; uid < 4; uid++) expect(counts.take(rule, 0, uid, 10 + uid, 1)).toBeUndefined();
  expect(counts.take(rule, 0, 99, 20, 2)).toBe("too many users");
  expect(counts.take(rule, 0, 99, 20, 2 + QUOTA_WINDOW_MS)).toBe("too many users");
  counts.close(12);
  expect(counts.take(rule, 0, 99, 20, 2 + QUOTA_WINDOW_MS)).toBeUndefined();
});

test("replaces the oldest user without a connection when the table is full", () => {
  const counts = quotas(64);
  const rule = plainRule("r", { socketsPerMinute: 1 });
  for (let uid = 0; uid < 64; uid++) expect(counts.take(rule, 0, uid, 1, uid)).toBeUndefined();
  for (let oldest = 0; oldest < 64; oldest++) {
    const now = 64 + oldest;
    expect(counts.take(rule, 0, 100 + oldest, 1, now)).toBeUndefined(); // in the place of the oldest
    for (let uid = oldest + 1; uid < 64; uid++)
      expect(counts.take(rule, 0, uid, 1, now)).toBe("sockets per minute");
  }
});

/** The users who find no row in a table that is too small for all. */
function keptOut(): string {
  const users = 1000;
  const counts = new Quotas(createQuotaMemory(users, 900), lockOf().lock);
  const rule = plainRule("r", { connections: 1 });
  const uids = Array.from({ length: users }, (_, uid) => uid);
  return uids.filter((uid) => counts.take(rule, 0, uid, uid, 1) !== undefined).join();
}

test("each table hashes users differently", () => {
  expect(keptOut()).not.toBe(keptOut());
});

test("counts for the largest user id and across a wrap of the clock", () => {
  const counts = quotas();
  const rule = plainRule("r", { socketsPerMinute: 1 });
  const before = 2 ** 32 - 10;
  expect(counts.take(rule, 0, 0xfffffffe, 1, before)).toBeUndefined();
  expect(counts.take(rule, 0, 0xfffffffe, 1, 2 ** 32 + 5)).toBe("sockets per minute");
  expect(counts.take(rule, 0, 0xfffffffe, 1, 2 ** 32 + QUOTA_WINDOW_MS)).toBeUndefined();
});

test("prefers unused rows to used ones just after the clock has wrapped", () => {
  const counts = quotas(64);
  const rule = plainRule("r", { socketsPerMinute: 1 });
  const before = 2 ** 32 - 1000;
  for (let uid = 0; uid < 32; uid++) expect(counts.take(rule, 0, uid, 1, before)).toBeUndefined();
  const after = 2 ** 32 + 10;
  for (let uid = 32; uid < 64; uid++) expect(counts.take(rule, 0, uid, 1, after)).toBeUndefined();
  for (let uid = 0; uid < 64; uid++)
    expect(counts.take(rule, 0, uid, 1, after)).toBe("sockets per minute");
});

test("counts under the lock", () => {
  const { lock, words: holder } = lockOf(1);
  const holders: number[] = [];
  const rule = Object.defineProperty(plainRule("r"), "connections", {
    get: () => void holders.push(holder[0] ?? 0),
  });
  new Quotas(createQuotaMemory(DESCRIPTORS), lock).take(rule, 0, 7, 5, 1);
  expect([...holders, holder[0]]).toEqual([3, 0]);
});

test("forgets under the lock", async () => {
  const { lock, words: holder } = lockOf();
  holder[0] = 3;
  const forgotten = new Quotas(createQuotaMemory(DESCRIPTORS), lock).forget();
  expect(Bun.peek.status(forgotten)).toBe("pending");
  holder[0] = 0;
  await forgotten;
  expect(holder[0]).toBe(0);
});

interface Shared {
  readonly memory: QuotaMemory;
  readonly words: Int32Array;
}

/** Takes 8000 times in a thread of its own and returns how many succeeded. */
async function takeInThread(dir: TempDir, workerData: Shared): Promise<number> {
  const path = dir.join("take.ts");
  await Bun.write(
    path,
    `import { workerData, parentPort } from "node:worker_threads";
    import { Quotas } from "${import.meta.dir}/quota.ts";
    import { plainRule } from "${import.meta.dir}/rule.ts";
    import { SharedLock } from "${import.meta.dir}/../memory/lock.ts";
    const { memory, words } = workerData;
    const counts = new Quotas(memory, new SharedLock(words, 0, -1));
    const rule = plainRule("r", { socketsPerMinute: 10000 });
    let got = 0;
    for (let n = 0; n < 8000; n++) if (counts.take(rule, 0, 7, 5, 1) === undefined) got++;
    parentPort.postMessage(got);`,
  );
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  new Worker(path, { workerData }).once("message", resolve).once("error", reject);
  return promise;
}

test("threads share the counts", async () => {
  using dir = tempDir();
  const shared = { memory: createQuotaMemory(DESCRIPTORS), words: lockOf().words };
  const got = await Promise.all([1, 2].map(() => takeInThread(dir, shared)));
  expect(Math.max(...got)).toBeLessThanOrEqual(8000);
  expect(got.reduce((sum, count) => sum + count, 0)).toBe(10_000);
});

test("hasQuota is false for a rule without quotas", () => {
  expect(hasQuota(plainRule("r"))).toBe(false);
  expect(hasQuota(plainRule("r", { connections: 1 }))).toBe(true);
});

test("a count is over after its minute, however long ago that was", () => {
  const counts = quotas();
  const rule = plainRule("r", { socketsPerMinute: 1 });
  const take = (now: number) => counts.take(rule, 0, 1000, 5, now);
  expect([take(0), take(2 ** 32), take(2 ** 53)]).toEqual([undefined, undefined, undefined]);
});

test("a thread that has waited since before a count began does not begin it anew", () => {
  const counts = quotas();
  const rule = plainRule("r", { socketsPerMinute: 1 });
  const take = (now: number) => counts.take(rule, 0, 1000, 5, now);
  expect([take(2), take(1)]).toEqual([undefined, "sockets per minute"]);
});
