import { expect, test } from "bun:test";
import { Crowd } from "./crowd.ts";

/** How many of so many steps find that the crowd lasts, with so many requests in each. */
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

test("a crowd is several connections in a step, in many steps that follow soon, and then anew", () => {
  expect(lasting(255, 2, 1)).toBe(0);
  expect(lasting(600, 2, 1)).toBe(2);
  expect(lasting(600, 1, 1)).toBe(0);
  expect(lasting(600, 2, 4)).toBe(0);
});
