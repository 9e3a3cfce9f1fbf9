import { expect, test } from "bun:test";
import { SOCK_NONBLOCK } from "@xsocket/protocol";
import { errno, loadSyscalls } from "@xsocket/xbind-native";
import { hasIpv6 } from "../../../../tests/harness/index.ts";
import { createMemory, FIELD } from "../memory/memory.ts";
import { Shared } from "../memory/shared.ts";
import { DEFAULT_POLICY } from "../policy/builtin.ts";
import { createQuotaMemory } from "../policy/quota.ts";
import { plainRule, type Rule } from "../policy/rule.ts";
import { Judge } from "./judge.ts";
import { Peer } from "./peer.ts";

const TCP = { kind: "socket", domain: 2, type: 1, protocol: 0 } as const;
const RAW = { kind: "socket", domain: 2, type: 3 | SOCK_NONBLOCK, protocol: 1 } as const;

function judgeBy(...rules: Rule[]): Judge {
  return new Judge(inForce(...rules), () => 1, new Shared(createMemory(16, 1)).lock);
}

function inForce(...rules: Rule[]) {
  const policy = rules.length > 0 ? { source: "test", rules } : DEFAULT_POLICY;
  return { policy, quotas: createQuotaMemory(16) };
}

/** A client of a user id, on a connection with a number of its own. */
function client(uid: number, fd = 5): Peer {
  const shared = new Shared(createMemory(16, 1));
  shared.set(fd, FIELD.uid, uid);
  const peer = new Peer(loadSyscalls(), shared);
  peer.pointAt(fd);
  return peer;
}

test("names the reason and the rule of a refusal", () => {
  const judge = judgeBy();
  expect(judge.decide(client(1), TCP)).toBe(0);
  expect(judge.rule?.name).toBe("ordinary sockets for everyone");
  expect(judge.decide(client(1), RAW)).toBe(errno.EPERM);
  expect([judge.refusal, judge.rule]).toEqual(["no rule", undefined]);
  expect(judge.decide(client(1), { ...RAW, protocol: 262 })).toBe(errno.EPERM);
  expect(judge.refusal).toBe("no rule");
  judge.follow(inForce(plainRule("closed", { allow: false })));
  expect(judge.decide(client(1), TCP)).toBe(errno.EPERM);
  expect([judge.refusal, judge.rule?.name]).toEqual(["rule", "closed"]);
});

test("returns the kernel's error for invalid numbers, whatever the policy", () => {
  const native = loadSyscalls();
  for (const numbers of [
    [-1, 1, 0],
    [9999, 1, 0],
    [46, 1, 0],
    [46, 11, 0],
    [64, 1, 0],
    [0, 1, 0],
    [0, 11, 0],
    [2, 0, 0],
    [10, 0, 6],
    [2, 11, 0],
    [1, 15, 0],
    [17, 0x103, 0],
    [2, -1, 0],
    [2, 1, -1],
    [10, 2, 9999],
    [2 ** 31 - 1, 2 ** 31 - 1, -(2 ** 31)],
  ] as const) {
    const [domain, type, protocol] = numbers;
    if (domain === 10 && !hasIpv6) continue;
    const judge = judgeBy();
    expect(judge.decide(client(1), { ...TCP, domain: 17 })).toBe(errno.EPERM); // must not show in the next answer
    const error = judge.decide(client(1), { kind: "socket", domain, type, protocol });
    const own = native.socket(domain, type, protocol);
    expect([numbers, error]).toEqual([numbers, -own]);
    expect(judge.refusal, numbers.join(",")).toBeUndefined();
  }
});

test("refuses a packet socket asked for as AF_INET and SOCK_PACKET", () => {
  const judge = judgeBy();
  for (const protocol of [-1, 0, 0x300]) {
    const request = { kind: "socket", domain: 2, type: 10, protocol } as const;
    expect(judge.decide(client(1), request)).toBe(errno.EPERM);
    expect(judge.refusal).toBe("no rule");
  }
});

test("a request of another family is a matter of policy, whatever its type and protocol", () => {
  const judge = judgeBy();
  for (const numbers of [
    [1, 0, 0],
    [16, 3, 999],
    [17, 3, -1],
  ] as const) {
    const [domain, type, protocol] = numbers;
    const error = judge.decide(client(1), { kind: "socket", domain, type, protocol });
    expect([numbers, error, judge.refusal]).toEqual([numbers, errno.EPERM, "no rule"]);
  }
});

test("quotas refuse, and a closed connection no longer counts", () => {
  const judge = judgeBy(plainRule("r", { connections: 1, socketsPerMinute: 2 }));
  expect(judge.decide(client(1, 5), TCP)).toBe(0);
  expect(judge.decide(client(1, 6), TCP)).toBe(errno.EPERM);
  expect(judge.refusal).toBe("connections");
  judge.ended(5);
  expect(judge.decide(client(1, 6), TCP)).toBe(0);
  expect(judge.decide(client(1, 6), TCP)).toBe(errno.EPERM);
  expect(judge.refusal).toBe("sockets per minute");
  judge.follow(inForce(plainRule("r", { socketsPerMinute: 1 })));
  expect(judge.decide(client(1, 6), TCP)).toBe(0);
});

test("shows the status to root, the server's own user, and users of a rule", () => {
  const judge = judgeBy(plainRule("s", { kind: "status", uids: [{ first: 9, last: 9 }] }));
  const shown = [0, 7, 8, 9].map((uid) => judge.showsStatus(client(uid), 7));
  expect(shown).toEqual([true, true, false, true]);
});
