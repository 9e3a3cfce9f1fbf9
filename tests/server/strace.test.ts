/* What xsocket() itself costs: its system calls, each of which has a reason in handover.c. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { libraryPath } from "@xsocket/xbind-native";
import { guardDescriptors, here, startServer, tempDir } from "../harness/index.ts";

guardDescriptors();

test("xsocket() makes no system call without a reason", async () => {
  using directory = tempDir();
  await using server = await startServer();
  const load = join(dirname(libraryPath("xsocket")), "bench/bench_load");
  const trace = directory.join("trace");
  const { code, stderr } = await here.run(
    ["strace", "-f", "-qq", "-e", "trace=all", "-o", trace, load, server.path, "call", "1", "1"],
    {},
  );
  expect(stderr).toBe("");
  expect(code).toBe(0);
  const lines = readFileSync(trace, "utf8").matchAll(/^(\d+)\s+(\w+)\(/gm);
  const made = [...lines].map(([, thread = "", name = ""]) => ({ thread, name }));
  const caller = made.find(({ name }) => name === "sendto")?.thread; // the main thread only waits
  const names = made.filter(({ thread }) => thread === caller).map(({ name }) => name);
  const rounds = names.join(" ").split(/(?=\bsocket\b)/);
  const calls = rounds[Math.floor(rounds.length / 2)]; // warm, with nothing at its edges
  expect(calls?.trim().split(" ")).toEqual([
    "socket",
    "connect",
    "sendto",
    "ppoll", // the deadline
    "recvmsg",
    "getsockname", // four to see that the socket is what was asked for
    "getsockopt",
    "getsockopt",
    "getsockopt",
    "close", // the connection
    "close", // the load's own, of the socket it got
  ]);
});
