import { expect, test } from "bun:test";
import { Crowd } from "./crowd.ts";

/** The number of steps that find a lasting crowd, with this many requests in each. */
function lasting(steps: number, served: number, stepMs: number): number {
  let now = 0;
  const crowd = new Crowd(() => now);
  const found = Array.from({ length: steps }, () => {
    now += stepMs;
    for (let i = 0; i < served; i++) crowd.served();
    return crowd.isLasting();
  });
  return found.filter(Boolean).length;
}

test("reports a crowd once per 256 quick steps with several requests each", () => {
  expect(lasting(255, 2, 1)).toBe(0);
  expect(lasting(600, 2, 1)).toBe(2);
  expect(lasting(600, 1, 1)).toBe(0);
  expect(lasting(600, 2, 4)).toBe(0);
});
