import { expect, test } from "bun:test";
import { parseAccounts } from "./accounts.ts";

test("skips lines without valid ids", () => {
  const passwd = [
    "empty:x::100::/:",
    "+::::::",
    "wraps:x:4294967296:1::/:",
    "none:x:4294967295:1::/:",
    "less:x:-1:1::/:",
    "odd:x:0x10:5::/:",
    "groupless:x:5:::/:",
    "twice:x:::::",
    "twice:x:7:8::/:",
    "last:x:4294967294:0::/:",
  ];
  const { users, groups } = parseAccounts(passwd.join("\n"), "bare:x::\n+:::\nlast:x:4294967294:");
  expect([...users.values()]).toEqual([
    { name: "twice", uid: 7, gid: 8 },
    { name: "last", uid: 4294967294, gid: 0 },
  ]);
  expect([...groups.keys()]).toEqual(["last"]);
});
