import { expect, test } from "bun:test";
import { errno } from "@xsocket/xbind-native";
import { threadContext, threadOptions } from "../../test/thread.ts";
import { COUNTER, createMemory, FIELD } from "../memory/memory.ts";
import { Stamp } from "./stamp.ts";

const [DESCRIPTORS, CONNECTION, SOCKET, STRANGER] = [200, 3, 4, 1000];

/** Stamps so many sockets on a simulated kernel, by default for a user other than the server's. */
function stampAll(results: readonly number[], times: number, ids = [STRANGER, STRANGER]) {
  const said: string[] = [];
  const left = [...results];
  const options = threadOptions(createMemory(DESCRIPTORS, 1), DESCRIPTORS);
  const context = {
    ...threadContext(options, { fchown: () => left.shift() ?? 0 }),
    say: (_level: string, _event: string, message: string) => void said.push(message),
  };
  context.shared.set(CONNECTION, FIELD.uid, ids[0] ?? 0);
  context.shared.set(CONNECTION, FIELD.gid, ids[1] ?? 0);
  const stamp = new Stamp(context);
  for (let i = 0; i < times; i++) stamp.put(SOCKET, CONNECTION);
  return {
    said,
    tries: results.length - left.length,
    failed: context.shared.sum(COUNTER.unstamped),
  };
}

test("without the privilege tries once, logs once and counts every socket", () => {
  const { said, ...rest } = stampAll(Array(5).fill(-errno.EPERM), 5);
  expect(rest).toEqual({ tries: 1, failed: 5 });
  expect(said).toEqual([expect.stringContaining("fchown gives EPERM")]);
});

test("tries again after EINVAL, which is about one user's ids only", () => {
  const { said, ...rest } = stampAll([-errno.EINVAL, 0, -errno.EINVAL], 3);
  expect(rest).toEqual({ tries: 3, failed: 2 });
  expect(said).toEqual([expect.stringContaining("no uid 1000 with gid 1000")]);
});

test.each(["EIO", "EPERM"] as const)("blames a seccomp filter for %s", (code) => {
  expect(stampAll([-errno[code]], 1).said).toEqual([expect.stringContaining("seccomp filter")]);
});

test("stamps no socket of the server's own user unless the group differs", () => {
  expect(stampAll([0], 1, [0, 0]).tries).toBe(0);
  expect(stampAll([0], 1, [0, STRANGER]).tries).toBe(1);
});
