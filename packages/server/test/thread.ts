import { loadSyscalls, type Syscalls } from "@xsocket/xbind-native";
import { fitBounds } from "../src/bounds.ts";
import { type Memory, STATE } from "../src/memory/memory.ts";
import { Shared } from "../src/memory/shared.ts";
import { DEFAULT_POLICY } from "../src/policy/builtin.ts";
import { createQuotaMemory } from "../src/policy/quota.ts";
import type { Policy } from "../src/policy/rule.ts";
import { Connections } from "../src/serving/connections.ts";
import { Idle } from "../src/serving/idle.ts";
import { Judge } from "../src/serving/judge.ts";
import type { Context, ThreadOptions } from "../src/serving/thread.ts";

/** What a thread is started with that listens nowhere and says little, for so many descriptors. */
export function threadOptions(
  memory: Memory,
  descriptors: number,
  policy: Policy = DEFAULT_POLICY,
): ThreadOptions {
  const bounds = fitBounds({ backlog: 1 }, descriptors, 2);
  return {
    index: 0,
    listenFd: -1,
    ownsListener: true,
    memory,
    bounds,
    policy: { policy, quotas: createQuotaMemory(descriptors) },
    orders: -Infinity, // each is taken at once
    logLevel: "error",
    about: { address: "@test", file: undefined, namespace: undefined, startedAt: 0 },
    auditFd: -1,
    uid: 0,
    gid: 0,
  };
}

/** What everything in such a thread works with, on a kernel of the test's own. */
export function threadContext(options: ThreadOptions, kernel: Partial<Syscalls>): Context {
  const shared = new Shared(options.memory);
  return {
    options,
    sys: { ...loadSyscalls(), epollCtl: () => 0, ...kernel },
    shared,
    epollFd: -1,
    judge: new Judge(options.policy, () => 0, shared.lock),
    say: () => {},
  };
}

/** The connections of one thread, and how it makes room by idle ones, on a kernel of the test's own. */
export function connectionsAt(index: number, memory: Memory, kernel: Partial<Syscalls>) {
  const options = { ...threadOptions(memory, new Shared(memory).descriptors), index };
  const context = threadContext(options, kernel);
  const connections = new Connections(context);
  return { connections, idle: new Idle(context, connections), options };
}

/** Opens a connection that is idle. */
export function openIdle(connections: Connections, fd: number): void {
  connections.open(fd);
  connections.release(fd, STATE.idle);
}
