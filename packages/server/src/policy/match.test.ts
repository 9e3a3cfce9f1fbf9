import { describe, expect, test } from "bun:test";
import { recorded } from "../../../../tests/harness/recorded.ts";
import { ask, asker } from "../../test/asked.ts";
import { DEFAULT_POLICY } from "./builtin.ts";
import { type Asker, firstMatch, mismatch } from "./match.ts";
import { numberOf, PROTOCOLS } from "./names.ts";
import { plainRule } from "./rule.ts";

describe("an allowing rule", () => {
  test("without a family matches IPv4 and IPv6", () => {
    const rule = plainRule("r", { types: [3] });
    expect(mismatch(rule, asker(1), ask("inet raw icmp"))).toBeUndefined();
    expect(mismatch(rule, asker(1), ask("packet raw"))).toBe("family");
    expect(mismatch(rule, asker(1), ask("netlink raw"))).toBe("family");
  });

  test("for packet or netlink matches all their types and protocols", () => {
    const rule = plainRule("r", { families: [16, 17] });
    for (const words of ["packet raw 3", "packet dgram", "netlink raw", "netlink dgram 6"])
      expect(mismatch(rule, asker(1), ask(words))).toBeUndefined();
    expect(mismatch(rule, asker(1), ask("inet stream"))).toBe("family");
  });

  test("for IPv4 and IPv6 among others still matches only streams and datagrams of them", () => {
    const rule = plainRule("r", { families: [2, 10, 17] });
    expect(mismatch(rule, asker(1), ask("inet stream"))).toBeUndefined();
    expect(mismatch(rule, asker(1), ask("inet raw icmp"))).toBe("type");
    expect(mismatch(rule, asker(1), ask("inet stream sctp"))).toBe("protocol");
  });

  test("for a protocol matches it only as stream or datagram", () => {
    const rule = plainRule("r", { protocols: [1] });
    expect(mismatch(rule, asker(1), ask("inet dgram icmp"))).toBeUndefined();
    expect(mismatch(rule, asker(1), ask("inet raw icmp"))).toBe("type");
    expect(mismatch(rule, asker(1), ask("inet stream tcp"))).toBe("protocol");
  });
});

test("matches protocol 0 as the default protocol of the type", () => {
  for (const words of ["stream tcp", "dgram udp", "seqpacket sctp", "dccp dccp"]) {
    const [type, protocol = ""] = words.split(" ");
    const rule = plainRule("r", { allow: false, protocols: [numberOf(PROTOCOLS, protocol) ?? -1] });
    for (const family of ["inet", "inet6"])
      expect(mismatch(rule, asker(1), ask(`${family} ${type}`)), words).toBeUndefined();
  }
});

test("a rule for protocol 0 matches the default protocol of each type", () => {
  const deny = plainRule("r", { allow: false, protocols: [0] });
  for (const words of [
    "stream tcp",
    "stream",
    "stream mptcp",
    "dgram udp",
    "dgram",
    "seqpacket sctp",
  ])
    for (const family of ["inet", "inet6"])
      expect(mismatch(deny, asker(1), ask(`${family} ${words}`)), words).toBeUndefined();
  for (const words of [
    "inet dgram udplite",
    "inet raw icmp",
    "inet stream sctp",
    "netlink raw 6",
    "netlink dgram 17",
  ])
    expect(mismatch(deny, asker(1), ask(words)), words).toBe("protocol");
  for (const words of ["netlink raw 0", "smc stream 1"])
    // the latter may speak TCP
    expect(mismatch(deny, asker(1), ask(words)), words).toBeUndefined();
  const allow = plainRule("r", { protocols: [0] });
  expect(mismatch(allow, asker(1), ask("inet stream tcp"))).toBeUndefined();
  expect(mismatch(allow, asker(1), ask("inet seqpacket sctp"))).toBe("type");
});

describe("a denying rule", () => {
  test("without keys matches everything", () => {
    const rule = plainRule("r", { allow: false });
    for (const words of [
      "inet stream",
      "inet stream sctp",
      "inet raw icmp",
      "packet raw",
      "99 9 9",
    ])
      expect(mismatch(rule, asker(1), ask(words))).toBeUndefined();
  });

  test("matches other spellings of the same socket", () => {
    const udp = plainRule("r", { allow: false, protocols: [17] });
    expect(mismatch(udp, asker(1), ask("inet dgram 0"))).toBeUndefined();
    expect(mismatch(udp, asker(1), ask("inet6 dgram udp"))).toBeUndefined();
    expect(mismatch(udp, asker(1), ask("inet stream 0"))).toBe("protocol");
    const packet = plainRule("r", { allow: false, families: [17] });
    expect(mismatch(packet, asker(1), ask("inet packet 3"))).toBeUndefined();
  });

  test("ignores bits that the kernel ignores", () => {
    const all = plainRule("r", { allow: false, families: [17], protocols: [768] });
    for (const protocol of [768 + 0x10000, 768 - 0x10000])
      for (const [domain, type] of [
        [17, 3],
        [2, 10],
      ] as const)
        expect(mismatch(all, asker(1), { kind: "socket", domain, type, protocol })).toBeUndefined();
    const datagrams = plainRule("r", { allow: false, families: [1], types: [2] });
    expect(mismatch(datagrams, asker(1), ask("unix raw"))).toBeUndefined();
    expect(mismatch(datagrams, asker(1), ask("unix stream"))).toBe("type");
  });

  test.each(["inet stream mptcp", "inet6 stream smc", "smc stream", "smc stream 1"])(
    "for TCP matches %s, which can fall back to TCP",
    (other) => {
      const tcp = plainRule("r", { allow: false, protocols: [6] });
      expect(mismatch(tcp, asker(1), ask(other))).toBeUndefined();
      const allow = { ...tcp, allow: true, families: [2, 10, 43] };
      expect(mismatch(allow, asker(1), ask(other))).toBe("protocol");
    },
  );

  test("for TCP matches only TCP, and other rules do not match TCP", () => {
    const tcp = plainRule("r", { allow: false, protocols: [6] });
    for (const words of [
      "inet raw",
      "inet raw mptcp",
      "inet raw 256",
      "inet stream sctp",
      "vsock stream",
    ])
      expect(mismatch(tcp, asker(1), ask(words)), words).toBe("protocol");
    const others = plainRule("r", { allow: false, protocols: [256, 262] });
    expect(mismatch(others, asker(1), ask("inet stream tcp"))).toBe("protocol");
  });
});

describe("users and groups", () => {
  const tcp = ask("inet stream");

  test("a range of ids includes both ends", () => {
    const rule = plainRule("r", { uids: [{ first: 10, last: 12 }] });
    const found = [9, 10, 12, 13].map((uid) => mismatch(rule, asker(uid), tcp));
    expect(found).toEqual(["user", undefined, undefined, "user"]);
  });

  test("a group matches as primary or supplementary group", () => {
    const rule = plainRule("r", { gids: [{ first: 50, last: 50 }] });
    expect(mismatch(rule, asker(1, 50), tcp)).toBeUndefined();
    expect(mismatch(rule, asker(1, 1, [7, 50]), tcp)).toBeUndefined();
    expect(mismatch(rule, asker(1, 1, [7]), tcp)).toBe("group");
  });

  test("compares many groups with a long rule in linear time", () => {
    const even = Array.from({ length: 1000 }, (_, index) => 2 * index);
    const many: Asker = { uid: 1, gid: 2, groups: () => even };
    let looks = 0;
    const odd = even.map((id) => ({
      last: id + 1,
      get first() {
        return (looks++, id + 1);
      },
    }));
    expect(mismatch(plainRule("r", { gids: odd }), many, tcp)).toBe("group");
    expect(looks).toBeLessThan(10 * odd.length);
    for (const id of [0, 998, 1000, 1998]) {
      const gids = [...odd, { first: id, last: id }];
      expect(mismatch(plainRule("r", { gids }), many, tcp)).toBeUndefined();
    }
  });

  test("unknown groups match every denying rule and no allowing rule", () => {
    const gids = [{ first: 50, last: 50 }];
    const untold: Asker = { uid: 1, gid: 1, groups: () => undefined };
    expect(mismatch(plainRule("r", { gids }), untold, tcp)).toBe("group");
    expect(mismatch(plainRule("r", { gids, allow: false }), untold, tcp)).toBeUndefined();
  });

  test("a rule with user and group needs both to match", () => {
    const id = [{ first: 5, last: 5 }];
    const rule = plainRule("r", { uids: id, gids: id });
    expect(mismatch(rule, asker(5, 5), tcp)).toBeUndefined();
    expect(mismatch(rule, asker(5, 6), tcp)).toBe("group");
    expect(mismatch(rule, asker(6, 5), tcp)).toBe("user");
  });

  test("an id unmapped in this user namespace matches no allowing rule", () => {
    const nobody = [{ first: 1000, last: 65_534 }];
    const unmapped: Asker = { ...asker(65_534, 65_534, [65_534, 65_534]), hasUnmappedIds: true };
    for (const ids of [{ uids: nobody }, { gids: nobody }]) {
      const [allow, deny] = [plainRule("r", ids), plainRule("r", { ...ids, allow: false })];
      expect(mismatch(allow, unmapped, tcp)).toBe("uids" in ids ? "user" : "group");
      expect(mismatch(deny, unmapped, tcp)).toBeUndefined();
      expect(mismatch(allow, asker(65_534), tcp)).toBeUndefined();
      expect(mismatch(allow, { ...unmapped, uid: 1000, gid: 1000 }, tcp)).toBeUndefined();
    }
  });

  test("reads supplementary groups only when a rule needs them", () => {
    const careful: Asker = {
      uid: 1,
      gid: 1,
      groups: () => {
        throw new Error("asked");
      },
    };
    expect(firstMatch(DEFAULT_POLICY, careful, tcp)?.allow).toBe(true);
    const rule = plainRule("r", { gids: [{ first: 1, last: 1 }] });
    expect(mismatch(rule, careful, tcp)).toBeUndefined();
  });
});

test("matching reads every key of a rule except its name and quotas", () => {
  const looked = new Set<string>();
  const rule = plainRule("r");
  mismatch(recorded(rule, looked), asker(1), ask("inet stream"));
  const others = Object.keys(rule).filter((name) => !looked.has(name));
  expect(others).toEqual(["name", "socketsPerMinute", "connections"]);
});

test("the first rule that matches decides", () => {
  const rules = [
    plainRule("no alice", { allow: false, uids: [{ first: 1, last: 1 }] }),
    plainRule("everyone"),
    plainRule("never reached", { allow: false }),
  ];
  const policy = { source: "test", rules };
  expect(firstMatch(policy, asker(1), ask("inet stream"))?.name).toBe("no alice");
  expect(firstMatch(policy, asker(2), ask("inet stream"))?.name).toBe("everyone");
  expect(firstMatch(policy, asker(2), ask("inet raw icmp"))?.name).toBe("never reached");
});
