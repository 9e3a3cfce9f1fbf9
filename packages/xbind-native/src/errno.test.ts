import { expect, test } from "bun:test";
import { errnoName } from "./errno.ts";

test("every errno of Linux has a name, the kernel's if there are two", () => {
  const nameless = Array.from({ length: 133 }, (_, i) => i + 1).filter((number) =>
    errnoName(number).startsWith("errno"),
  );
  expect(nameless).toEqual([41, 58]); // unused numbers
  expect([11, 35, 94, 95].map(errnoName)).toEqual([
    "EAGAIN",
    "EDEADLK",
    "ESOCKTNOSUPPORT",
    "EOPNOTSUPP",
  ]);
  expect(errnoName(4095)).toBe("errno 4095");
});
