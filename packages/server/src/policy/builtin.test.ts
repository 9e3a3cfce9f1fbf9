import { describe, expect, test } from "bun:test";
import { ask, asker } from "../../test/asked.ts";
import { abstractPolicy, DEFAULT_POLICY, flagPolicy } from "./builtin.ts";
import { firstMatch } from "./match.ts";

function defaultAllows(words: string): boolean {
  return firstMatch(DEFAULT_POLICY, asker(1000), ask(words))?.allow ?? false;
}

describe("the default policy", () => {
  test.each(["inet", "inet6"])(
    "allows %s stream and datagram sockets of ordinary protocols",
    (family) => {
      for (const type of ["stream", "dgram"])
        for (const protocol of ["0", "tcp", "udp", "mptcp", "udplite"])
          expect(defaultAllows(`${family} ${type} ${protocol}`)).toBe(true);
    },
  );

  test("allows nothing else", () => {
    for (const words of [
      "inet raw icmp",
      "inet6 raw 255",
      "inet packet",
      "inet dgram icmp",
      "inet stream sctp",
      "inet seqpacket sctp",
      "inet dccp dccp",
      "packet raw",
      "packet dgram",
      "netlink raw",
      "netlink dgram",
      "unix stream",
      "vsock stream",
      "0 stream",
      "99 stream",
    ])
      expect(defaultAllows(words), words).toBe(false);
  });

  test("ignores flags in the type", () => {
    const nonblock = { kind: "socket", domain: 2, type: 1 | 0o4000, protocol: 0 } as const;
    expect(firstMatch(DEFAULT_POLICY, asker(1), nonblock)?.allow).toBe(true);
    const raw = { kind: "socket", domain: 2, type: 3 | 0o4000, protocol: 1 } as const;
    expect(firstMatch(DEFAULT_POLICY, asker(1), raw)).toBeUndefined();
  });

  test("allows nobody the status", () => {
    expect(firstMatch(DEFAULT_POLICY, asker(0), { kind: "status" })).toBeUndefined();
  });
});

test("the policy of an abstract name allows root and the server's own user", () => {
  const policy = abstractPolicy(7);
  const tcp = ask("inet stream");
  expect([0, 7, 8, 1000].map((uid) => Boolean(firstMatch(policy, asker(uid), tcp)))).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

test("flags become one rule for users and one for groups", () => {
  const one = [{ first: 1, last: 1 }];
  const tcp = ask("inet stream");
  const both = flagPolicy({ uids: one, gids: one, socketsPerMinute: 3 }, "/s");
  expect(firstMatch(both, asker(1, 9), tcp)?.name).toBe("--allow-user");
  expect(firstMatch(both, asker(9, 1), tcp)?.name).toBe("--allow-group");
  expect(firstMatch(both, asker(9, 9), tcp)).toBeUndefined();
  expect(firstMatch(both, asker(1, 1), tcp)?.socketsPerMinute).toBe(3);
});

test("a quota alone limits those whom the default serves", () => {
  const tcp = ask("inet stream");
  const quotaAt = (address: string) =>
    firstMatch(flagPolicy({ socketsPerMinute: 3 }, address), asker(9, 9), tcp)?.socketsPerMinute;
  expect(quotaAt("/s")).toBe(3);
  expect(quotaAt("@s")).toBeUndefined();
});
