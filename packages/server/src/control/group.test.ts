import { expect, test } from "bun:test";
import { groupId } from "./group.ts";

test("finds a group by number and by name", () => {
  expect([groupId("0"), groupId("007"), groupId(12345), groupId("root")]).toEqual([0, 7, 12345, 0]);
});

test.each(["4294967295", "4294967296", "-4294967296", "+0", " 0", "--help", "-s files"])(
  "refuses %j as a group",
  (name) => {
    expect(() => groupId(name)).toThrow(expect.objectContaining({ code: "GROUP_UNKNOWN" }));
  },
);

test("does not advise to make a group that cannot be", () => {
  expect(() => groupId(4294967295)).toThrow("the largest number is 4294967294");
  expect(() => groupId("no-such")).toThrow("make it first (groupadd)");
});
