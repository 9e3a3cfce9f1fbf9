import { expect, test } from "bun:test";
import { AF_INET, AF_INET6, AF_UNIX, SOCK_DGRAM, SOCK_SEQPACKET } from "@xsocket/protocol";
import { COUNTER, COUNTER_GROUP, COUNTERS, createMemory } from "./memory/memory.ts";
import { Shared } from "./memory/shared.ts";
import { latencyCounter, readStats, socketCounter } from "./stats.ts";

/** The numbers in the statistics after one counter has counted once, or none has. */
function told(place = -1): readonly string[] {
  const shared = new Shared(createMemory(1, 1));
  if (place >= 0) shared.count(0, place);
  const { granted: _granted, denied: _denied, ...counted } = readStats(shared); // these two are sums
  return JSON.stringify(counted).match(/[\d.]+/g) ?? [];
}

test("each counter changes exactly one number of the statistics, and each number has one", () => {
  const none = told();
  const changed = Array.from({ length: COUNTERS }, (_, place) => {
    const numbers = told(place);
    return [...none.keys()].filter((index) => numbers[index] !== none[index]);
  });
  for (const [name, place] of Object.entries(COUNTER)) expect(changed[place], name).toHaveLength(1);
  for (const [place, numbers] of changed.entries())
    expect(numbers.length, `place ${place}`).toBeLessThanOrEqual(1);
  const { sockets, refusals, latency } = readStats(new Shared(createMemory(1, 1)));
  const inGroups = [sockets, Object.keys(refusals), latency.counts, [latency.sum]].flat().length;
  expect(new Set(changed.flat()).size).toBe(Object.keys(COUNTER).length + inGroups);
});

test("a request counts in the bucket of its time, and a socket by its family and type", () => {
  const shared = new Shared(createMemory(1, 1));
  for (const milliseconds of [0.01, 0.0101, 100, 100.1])
    shared.count(0, latencyCounter(milliseconds));
  shared.count(0, COUNTER_GROUP.latencySum, 250);
  const asked = [
    [AF_INET, SOCK_DGRAM],
    [AF_INET6, SOCK_SEQPACKET],
    [AF_UNIX, SOCK_DGRAM],
  ] as const;
  for (const [domain, type] of asked) shared.count(0, socketCounter(domain, type));
  const { latency, sockets } = readStats(shared);
  expect(latency.sum).toBe(0.25);
  expect(latency.counts).toEqual([1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
  const counted = sockets.filter(({ count }) => count === 1);
  expect(counted.map(({ family, type }) => `${family} ${type}`)).toEqual([
    "AF_INET SOCK_DGRAM",
    "AF_INET6 other",
    "other SOCK_DGRAM",
  ]);
});
