import { expect, test } from "bun:test";
import { errno, loadSyscalls, type Syscalls } from "@xsocket/xbind-native";
import { createMemory, FIELD } from "../memory/memory.ts";
import { Shared } from "../memory/shared.ts";
import { NOBODY } from "../policy/ids.ts";
import { firstMatch } from "../policy/match.ts";
import { plainRule } from "../policy/rule.ts";
import { Peer } from "./peer.ts";

const TCP = { kind: "socket", domain: 2, type: 1, protocol: 0 } as const;

/** A client in so many groups, numbered from 100, and the number of calls that asked for them. */
function memberOf(count: number) {
  let asked = 0;
  let copied = 0;
  const getsockopt = (...[, , , value, size]: Parameters<Syscalls["getsockopt"]>) => {
    asked++;
    if (size < count * 4) return -errno.ERANGE;
    new Uint32Array(value.buffer, value.byteOffset, count).set(
      Array.from({ length: count }, (_, index) => 99 + count - index),
    );
    copied += count;
    return count * 4;
  };
  const peer = new Peer({ ...loadSyscalls(), getsockopt }, new Shared(createMemory(16, 1)));
  return { peer, asked: () => asked, copied: () => copied };
}

const groups = (...ids: number[]) => ({ gids: ids.map((id) => ({ first: id, last: id })) });
const policy = {
  source: "test",
  rules: [
    plainRule("not these", { allow: false, ...groups(7, 8) }),
    plainRule("these", groups(9, 101)),
    plainRule("nobody", { allow: false, ...groups(10) }),
    plainRule("everyone"),
  ],
};

test("reads the groups once per request however many rules name groups", () => {
  for (const [count, rule] of [
    [0, "everyone"],
    [1, "everyone"],
    [2, "these"],
    [1024, "these"],
  ] as const) {
    const { peer, asked } = memberOf(count);
    for (const request of [1, 2]) {
      peer.pointAt(5);
      expect(firstMatch(policy, peer, TCP)?.name).toBe(rule);
      expect(asked()).toBe(request);
    }
  }
});

test("a client in too many groups matches denying rules and no allowing rule by group, without a copy", () => {
  const { peer, asked, copied } = memberOf(65_536);
  peer.pointAt(5);
  expect(firstMatch(policy, peer, TCP)?.name).toBe("not these");
  const allowing = { source: "test", rules: [plainRule("these", groups(101))] };
  expect(firstMatch(allowing, peer, TCP)).toBeUndefined();
  expect([asked(), copied()]).toEqual([1, 0]);
});

test("a server that runs as nobody does not trust nobody while ids may be unmapped", () => {
  const shared = new Shared(createMemory(16, 1));
  for (const hasUnmappedIds of [true, false]) {
    const peer = Object.assign(new Peer(loadSyscalls(), shared), { hasUnmappedIds });
    const trusted = [0, 7, 8, NOBODY].map((uid) => {
      shared.set(5, FIELD.uid, uid);
      peer.pointAt(5);
      return [peer.isTrusted(7), peer.isTrusted(NOBODY)];
    });
    const nobody = [false, !hasUnmappedIds];
    expect(trusted).toEqual([[true, true], [true, false], [false, false], nobody]);
  }
});
