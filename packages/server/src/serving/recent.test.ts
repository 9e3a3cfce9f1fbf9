import { expect, test } from "bun:test";
import { Recent } from "./recent.ts";

test("forgets what was set the longest ago when there are too many", () => {
  const recent = new Recent<string>();
  for (let account = 0; account < 64; account++) recent.set(account, "old");
  recent.set(0, "new");
  recent.set(64, "one more");
  expect([0, 1, 2, 64].map((account) => recent.get(account))).toEqual([
    "new",
    undefined,
    "old",
    "one more",
  ]);
});
