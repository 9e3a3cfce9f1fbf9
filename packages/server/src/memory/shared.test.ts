import { expect, spyOn, test } from "bun:test";
import { createQuotaMemory, Quotas } from "../policy/quota.ts";
import { plainRule } from "../policy/rule.ts";
import { SharedLock } from "./lock.ts";
import { createMemory, FIELD, type Memory, STATE, THREAD, TOTAL } from "./memory.ts";
import { Shared } from "./shared.ts";

const FD = 5;

/** Expects a change of shared memory to wait while another thread holds the lock. */
function expectToWait(
  { totals }: Memory,
  memory: readonly SharedArrayBuffer[],
  change: () => void,
): void {
  const other = new SharedLock(new Int32Array(totals), TOTAL.lock, 1);
  const contents = () => memory.map((buffer) => new Uint8Array(buffer.slice(0)));
  other.acquire();
  const before = contents();
  let meanwhile: typeof before | undefined;
  using _ = spyOn(Bun, "sleepSync").mockImplementation(() => {
    meanwhile = contents();
    other.release();
  });
  change();
  expect(meanwhile).toEqual(before);
  expect(contents()).not.toEqual(before);
}

test.each<[what: string, change: (shared: Shared) => unknown]>([
  ["hands a connection over", (shared) => shared.move(FD, 1)],
  ["makes room by a connection", (shared) => shared.evict(FD)],
  ["takes one out of its inbox", (shared) => shared.takePosted(0)],
  ["retires", (shared) => shared.retire(0)],
])("a thread that %s waits for the lock", (_, change) => {
  const memory = createMemory(64, 2);
  const shared = new Shared(memory, 0);
  for (const thread of [0, 1]) shared.setThread(thread, THREAD.serves, 1);
  for (const fd of [FD, FD + 1]) shared.set(fd, FIELD.state, STATE.idle);
  shared.evict(FD + 1); // puts it into the inbox
  expectToWait(memory, [memory.connections, memory.threads], () => change(shared));
});

test("a thread that takes or gives back a quota waits for the lock", () => {
  const memory = createMemory(64, 2);
  const counts = createQuotaMemory(64, 64);
  const quotas = new Quotas(counts, new Shared(memory, 0).lock);
  const rule = plainRule("few", { connections: 1 });
  for (const change of [() => quotas.take(rule, 0, 1000, FD, 0), () => quotas.close(FD)])
    expectToWait(memory, [counts.rows, counts.since, counts.held], change);
});
