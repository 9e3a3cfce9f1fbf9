import { expect, spyOn, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { tempDir } from "../../../../tests/harness/temp.ts";
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

test("waits for getent for 5 s at most, since nothing else is done meanwhile", () => {
  using dir = tempDir();
  const getent = dir.join("getent");
  writeFileSync(getent, "#!/bin/sh\ntrap '' TERM\nexec sleep 60\n", { mode: 0o755 });
  using _ = spyOn(Bun, "which").mockReturnValue(getent);
  const impatient = new Proxy(Bun.spawnSync, {
    apply: (real, self, [argv, options]: [string[], object]) =>
      Reflect.apply(real, self, [argv, { ...options, timeout: 50 }]),
  });
  using spawn = spyOn(Bun, "spawnSync").mockImplementation(impatient);
  expect(() => groupId("no-such")).toThrow('getent has not found group "no-such" within 5 s');
  expect(spawn.mock.calls).toMatchObject([[expect.anything(), { timeout: 5000 }]]);
}, 20_000);
