import { expect, test } from "bun:test";
import { shown } from "./index.ts";

test("shows a short value whole, and of another its kind, in one line", () => {
  expect(shown({ rule: [{ action: "allow" }] })).toBe("{ rule: [ { action: 'allow' } ] }");
  for (const value of [console, process, Array.from({ length: 99 }, (_, i) => i), "x".repeat(9999)])
    expect(shown(value)).toMatch(/^.{1,150}$/);
});
