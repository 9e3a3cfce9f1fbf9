import { expect, test } from "bun:test";
import { COUNTER, COUNTERS, createMemory } from "./memory/memory.ts";
import { Shared } from "./memory/shared.ts";
import { readStats } from "./stats.ts";

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
