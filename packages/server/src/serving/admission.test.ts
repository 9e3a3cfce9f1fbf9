import { expect, test } from "bun:test";
import { errno, POLLHUP, type Syscalls } from "@xsocket/xbind-native";
import { acceptFrom, DESCRIPTORS, PEER, results } from "../../test/acceptor.ts";
import type { Connections } from "./connections.ts";

test("refuses, counts and logs a connection whose descriptor number is too high", () => {
  const found = acceptFrom(results(DESCRIPTORS));
  expect(found).toMatchObject({ served: [], closed: [DESCRIPTORS], refused: 1 });
  expect(found.said.join()).toContain(`number ${DESCRIPTORS}`);
});

test("refuses a connection whose peer the kernel does not name", () => {
  const kernel = { getsockopt: () => -errno.EPERM };
  const found = acceptFrom(results(100), { kernel });
  expect(found).toMatchObject({ served: [], closed: [100], refused: 1, connections: 0 });
});

function endServed(connections: Connections, served: number[]): number {
  return served.splice(0).filter((fd) => connections.end(fd)).length;
}

test.each([
  ["all", { maxConnections: 5 }],
  ["a user", { maxConnectionsPerUid: 5 }],
])("closes finished connections before refusing at the bound of %s", (_, bounds) => {
  const everybody = results(...Array.from({ length: 20 }, (_each, i) => 100 + i));
  const found = acceptFrom(everybody, { kernel: PEER, bounds, makeRoom: endServed });
  expect(found).toMatchObject({ connections: 5, refused: 0, said: [] });
});

/** A kernel in which every ten descriptors belong to a different user, and whose clock advances. */
function manyUsers(): Partial<Syscalls> {
  let now = 0;
  return {
    monotonic: () => now++,
    getsockopt(fd, _level, _name, credentials) {
      if (credentials instanceof Int32Array) credentials[1] = Math.floor(fd / 10);
      return 12;
    },
  };
}

test("a sole user may have all connections, and one with few may exceed another's share", () => {
  const bounds = { maxConnections: 10 };
  const ten = Array.from({ length: 10 }, (_, i) => 100 + i);
  const alone = acceptFrom(results(...ten, 50), { kernel: manyUsers(), bounds });
  expect(alone).toMatchObject({ served: ten, refused: 1 });
  const two = acceptFrom(results(50, ...ten, 51), { kernel: manyUsers(), bounds });
  expect(two).toMatchObject({ served: [50, ...ten.slice(0, 8), 51], refused: 2 });
});

test("evicts a user's own oldest connection, or anybody's oldest for a user with few", () => {
  const many = Array.from({ length: 9 }, (_, i) => 100 + i);
  const bounds = { maxConnections: 10 };
  const accept = results(50, ...many, 51, 70);
  const found = acceptFrom(accept, { kernel: manyUsers(), bounds, idle: true });
  expect(found).toMatchObject({ closed: [100, 50], refused: 0 });
});

test("a user at its own bound makes room itself, though another's has been idle for longer", () => {
  const how = { kernel: manyUsers(), bounds: { maxConnectionsPerUid: 2 }, idle: true };
  expect(acceptFrom(results(50, 100, 101, 102), how)).toMatchObject({ closed: [100], refused: 0 });
});

/** Ends all served connections but those of the greedy user, who came first. */
function endBrisk(connections: Connections, served: number[]): number {
  return served.splice(30).filter((fd) => connections.end(fd)).length;
}

/* A client that asks again and again, with a connection for each, has several that are finished. */
test("a user whose connections are finished counts as one with few", () => {
  const greedy = Array.from({ length: 30 }, (_, i) => 100 + i);
  const brisk = Array.from({ length: 20 }, (_, i) => 50 + i);
  const kernel: Partial<Syscalls> = {
    getsockopt(fd, _level, _name, credentials) {
      if (credentials instanceof Int32Array) credentials[1] = fd < 100 ? 1000 : 1001;
      return 12;
    },
  };
  const bounds = { maxConnections: 40 };
  const found = acceptFrom(results(...greedy, ...brisk), { kernel, bounds, makeRoom: endBrisk });
  expect(found).toMatchObject({ refused: 0, said: [] });
});

/** Closes the first served connection. */
function closeFirst(connections: Connections, served: number[]): number {
  connections.close(served.shift() ?? -1);
  return 1;
}

test("does not evict when a finished connection of the user makes room", () => {
  const bounds = { maxConnectionsPerUid: 2 };
  const how = { kernel: PEER, bounds, idle: true, makeRoom: closeFirst };
  expect(acceptFrom(results(100, 101, 102), how).closed).toEqual([100]);
});

test("looks for finished connections until one of the user's own makes room", () => {
  const bounds = { maxConnectionsPerUid: 2 };
  const how = { kernel: manyUsers(), bounds, makeRoom: closeFirst };
  expect(acceptFrom(results(50, 100, 101, 102), how)).toMatchObject({
    closed: [50, 100],
    refused: 0,
  });
});

test("a connection of another thread that is over makes room for one", () => {
  const kernel: Partial<Syscalls> = {
    ...PEER,
    sendQueue: () => 0,
    eventfdAdd: () => 0,
    poll: () => POLLHUP,
    pollMany(pairs, count) {
      for (let i = 0; i < count; i++) pairs[2 * i + 1] = POLLHUP;
      return count;
    },
  };
  const how = { kernel, bounds: { maxConnectionsPerUid: 2 }, elsewhere: [50] };
  expect(acceptFrom(results(100, 101, 102), how)).toMatchObject({
    served: [100, 101],
    refused: 1,
  });
  expect(acceptFrom(results(100, 101), how)).toMatchObject({ refused: 0, evicted: 0 });
});

test("one that its thread closes meanwhile makes room", () => {
  let meanwhile: (() => void) | undefined;
  const found = acceptFrom(results(100, 101), {
    kernel: { ...PEER, pollMany: (_pairs, count) => (meanwhile?.(), count) },
    bounds: { maxConnectionsPerUid: 2 },
    elsewhere: [50],
    makeRoom(connections) {
      meanwhile = () => connections.close(50);
      return 0;
    },
  });
  expect(found).toMatchObject({ served: [100, 101], refused: 0 });
});

test("root and the server's own user have eight connections beyond the bound", () => {
  const everybody = results(...Array.from({ length: 20 }, (_, i) => 100 + i));
  const bounds = { maxConnections: 5, maxConnectionsPerUid: 100 };
  const found = acceptFrom(everybody, { kernel: PEER, bounds });
  expect(found).toMatchObject({ connections: 5 + 8, refused: 20 - 5 - 8 });
});
