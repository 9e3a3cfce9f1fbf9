import { expect, test } from "bun:test";
import { shown } from "./index.ts";

const NUMBERS = Array.from({ length: 99 }, (_, i) => i);

test("shows a short value whole, and of another its kind, in one line", () => {
  expect(shown({ rule: [{ action: "allow" }] })).toBe("{ rule: [ { action: 'allow' } ] }");
  expect(shown(NUMBERS.slice(0, 7))).toBe("[ 0, 1, 2, 3, 4, 5, 6 ]");
  for (const value of [console, process, NUMBERS, "x".repeat(9999), "[[rule]]\n".repeat(99)])
    expect(shown(value)).toMatch(/^.{1,150}$/);
});
