import { expect, test } from "bun:test";
import { measure, percentile } from "./measure.ts";

test("percentiles are those of the sorted numbers", () => {
  const numbers = Float64Array.from({ length: 100 }, (_, i) => i + 1);
  expect([0, 0.5, 0.99, 1].map((share) => percentile(numbers, share))).toEqual([1, 51, 100, 100]);
  expect(percentile(new Float64Array(0), 0.5)).toBe(0);
});

test("a measurement counts each of a batch, and tells its progress", () => {
  const shares: number[] = [];
  const subject = { batch: 10, run: () => Bun.sleepSync(1) };
  const { perSecond, p50, p99 } = measure(subject, 200, (share) => shares.push(share));
  expect(perSecond).toBeGreaterThan(500);
  expect(perSecond).toBeLessThanOrEqual(10_000);
  expect(p50).toBeGreaterThanOrEqual(100);
  expect(p99).toBeGreaterThanOrEqual(p50);
  expect(shares.length).toBeGreaterThan(0);
  expect(shares).toEqual(shares.toSorted((a, b) => a - b));
});
