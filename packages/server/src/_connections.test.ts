import { expect, test } from "bun:test";
import { loadSyscalls } from "@xsocket/xbind-native";
import { Connections } from "./_connections.ts";
import { Judge } from "./_judge.ts";
import { createMemory, Shared, STATE } from "./_memory.ts";
import { fitBounds } from "./bounds.ts";
import { DEFAULT_POLICY } from "./policy/builtin.ts";
import { createQuotaMemory } from "./policy/quota.ts";

const DESCRIPTORS = 300;

test("however many have waited for too long at once, a look ends some, and the next one more", () => {
  const closed: number[] = [];
  let now = 0;
  const sys = {
    ...loadSyscalls(),
    monotonic: () => now,
    epollCtl: () => 0,
    poll: () => 0,
    close: (fd: number) => closed.push(fd),
  };
  const memory = createMemory(DESCRIPTORS, 1);
  const bounds = fitBounds({}, DESCRIPTORS, 1);
  const policy = { policy: DEFAULT_POLICY, quotas: createQuotaMemory(DESCRIPTORS, 1) };
  const connections = new Connections({
    options: {
      index: 0,
      listenFd: -1,
      memory,
      bounds,
      policy,
      logLevel: "error",
      about: { address: "@test", file: undefined, bounds, startedAt: 0 },
      auditFd: -1,
      uid: 0,
      gid: 0,
    },
    sys,
    shared: new Shared(memory),
    epollFd: -1,
    judge: new Judge(policy, () => 0),
    say: () => {},
    logs: () => false,
  });
  for (let fd = 100; fd < 250; fd++) {
    connections.open(fd);
    connections.release(fd, STATE.fresh);
  }
  now = bounds.firstRequestMs;
  const looks = Array.from({ length: 3 }, () => {
    connections.lookAtDue();
    return { closed: closed.length, waitMs: connections.waitMs() };
  });
  expect(looks).toEqual([
    { closed: 64, waitMs: 0 },
    { closed: 128, waitMs: 0 },
    { closed: 150, waitMs: -1 },
  ]);
});
