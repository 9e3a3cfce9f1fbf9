/* The cost of an idle server, and the memory left by requests. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { startServer, tempDir } from "../harness/index.ts";
import { loadProgram, runLoad } from "./load.ts";
import { inStatus, residentMb, threadNames } from "./process.ts";
import { askOnce } from "./raw.ts";

const SETTLE_MS = 1500; // for the rest of the start
const LOOK_MS = 2500;
const LOOKS = 12;

/** How often each thread of a process has gone to sleep. */
function sleeps(pid: number): number[] {
  return inStatus(pid, /(?<=^voluntary_ctxt_switches:\s+)\d+/gm).map(Number);
}

/** How often they go to sleep within a while, all together; Infinity if one begins or ends meanwhile. */
async function sleepsAgain(pid: number): Promise<number> {
  const before = sleeps(pid);
  await Bun.sleep(LOOK_MS);
  const after = sleeps(pid);
  if (after.length !== before.length) return Infinity;
  return after.reduce((sum, count, i) => sum + count - (before[i] ?? 0), 0);
}

function variables(pid: number): string[] {
  return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
}

test("no timer wakes an idle server", async () => {
  await using server = await startServer();
  const seen: number[] = [];
  // the rest of the start may take a while, and others may wake it; Bun's own timer does each second
  do seen.push(await sleepsAgain(server.program.pid));
  while (Math.min(...seen) > 1 && seen.length < LOOKS);
  expect(Math.min(...seen), seen.join()).toBeLessThan(2);
});

test("keeps the user's environment variables for Bun's timers", async () => {
  await using server = await startServer({ env: { MIMALLOC_PURGE_DELAY: "1000" } });
  const found = variables(server.program.pid);
  expect(found).toContain("MIMALLOC_PURGE_DELAY=1000");
  expect(found).toContain("BUN_GC_TIMER_DISABLE=1");
});

test("the JavaScript engine needs no threads of its own, even at work", async () => {
  using directory = tempDir();
  const program = loadProgram(directory);
  await using server = await startServer({ args: ["--mode", "0666"] });
  await runLoad(program, server.path, { mode: "call", callers: 4, seconds: 1 });
  /* The name of the collector's thread is longer, and cut at its start. */
  expect(threadNames(server.program.pid).join("")).not.toMatch(/JITWorker|HeapHelper|ollector/);
});

test("an idle server with one thread keeps at most 45 MB resident", async () => {
  await using server = await startServer({ args: ["--threads", "1"] });
  await Bun.sleep(SETTLE_MS);
  expect(residentMb(server.program.pid)).toBeLessThan(45);
  expect(askOnce(server.path)).toBe(0);
});

test("requests do not grow the private memory by more than a few MB", async () => {
  using directory = tempDir();
  const program = loadProgram(directory);
  await using server = await startServer({ args: ["--threads", "1", "--mode", "0666"] });
  const { pid } = server.program;
  const before = residentMb(pid, "RssAnon");
  let requests = 0;
  while (requests < 150_000)
    requests += (await runLoad(program, server.path, { mode: "call", callers: 4, seconds: 1 }))
      .requests;
  expect(residentMb(pid, "RssAnon") - before).toBeLessThan(8); // 12 with one closure per request
}, 600_000); // 10 s on an idle machine
