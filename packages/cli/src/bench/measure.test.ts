import { expect, spyOn, test } from "bun:test";
import { measure, percentile } from "./measure.ts";

test("returns the value at a share of sorted numbers, and 0 for none", () => {
  const numbers = Float64Array.from({ length: 100 }, (_, i) => i + 1);
  expect([0, 0.5, 0.99, 1].map((share) => percentile(numbers, share))).toEqual([1, 51, 100, 100]);
  expect(percentile(new Float64Array(0), 0.5)).toBe(0);
});

test("counts every call of a batch and reports progress", () => {
  let now = 1000;
  using clock = spyOn(performance, "now").mockImplementation(() => now);
  const shares: number[] = [];
  const subject = { batch: 10, run: () => void (now += 1) };
  const measured = measure(subject, 200, (share) => shares.push(share));
  expect(measured).toEqual({ perSecond: 10_000, p50: 100, p99: 100 });
  expect(shares).toEqual([0.255, 0.51, 0.765]); // every 50 ms, when the next one is over
  expect(clock).toHaveBeenCalled();
});
