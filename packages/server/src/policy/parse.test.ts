import { describe, expect, test } from "bun:test";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { descriptors } from "../../../../tests/harness/descriptors.ts";
import { recorded } from "../../../../tests/harness/recorded.ts";
import { tempDir } from "../../../../tests/harness/temp.ts";
import { groupsOf, parseAccounts } from "./accounts.ts";
import { describeAsked, describeRule, explain, lateWarning } from "./describe.ts";
import { PolicyError } from "./error.ts";
import { parsePolicy, policyFile, readPolicy } from "./parse.ts";
import { readRule } from "./read-rule.ts";
import { plainRule } from "./rule.ts";

const ACCOUNTS = parseAccounts(
  "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home/alice:\nbob:x:1001:100::/:\n\nalice:x:5:5::/:\n",
  "root:x:0:\nusers:x:100:alice,bob\nnet:x:200:alice\nbroken\nalice:x:1000:",
);

function parse(text: string) {
  return parsePolicy("p.toml", text, ACCOUNTS).rules;
}

function problems(text: string): readonly string[] {
  try {
    parsePolicy("p.toml", text, ACCOUNTS);
    return [];
  } catch (error) {
    if (error instanceof PolicyError) return error.message.split("\n");
    throw error;
  }
}

test("the first line of an account wins, and supplementary groups are found", () => {
  const alice = ACCOUNTS.users.get("alice");
  expect(alice).toEqual({ name: "alice", uid: 1000, gid: 1000 });
  expect(alice && groupsOf(ACCOUNTS, alice)).toEqual([1000, 100, 200]);
  expect(ACCOUNTS.groups.has("broken")).toBe(false);
});

test("reads a rule with every key", () => {
  const [rule] = parse(`
    [[rule]]
    name = "ping"
    action = "allow"
    user = ["alice", "bob"]
    uid = "100000-165535"
    group = "net"
    gid = 7
    family = ["AF_INET", "inet6", 17]
    type = "SOCK_RAW"
    protocol = ["IPPROTO_ICMP", "icmpv6", "udp-lite"]
    sockets_per_minute = 60
    connections = 4
  `);
  expect(rule).toEqual({
    name: "ping",
    kind: "socket",
    allow: true,
    uids: [
      { first: 1000, last: 1000 },
      { first: 1001, last: 1001 },
      { first: 100000, last: 165535 },
    ],
    gids: [
      { first: 200, last: 200 },
      { first: 7, last: 7 },
    ],
    families: [2, 10, 17],
    types: [3],
    protocols: [1, 58, 136],
    socketsPerMinute: 60,
    connections: 4,
  });
  expect(rule && describeRule(rule)).toBe(
    "allow uid 1000,1001,100000-165535 gid 200,7 AF_INET,AF_INET6,AF_PACKET SOCK_RAW IPPROTO_ICMP,IPPROTO_ICMPV6,IPPROTO_UDPLITE 60 sockets a minute 4 connections",
  );
});

test("a number alone is a valid id, and each number may be the largest", () => {
  const all = `[[rule]]\naction = "allow"\nuid = 4294967294\n[[rule]]\naction = "allow"\ngid = 8\ntype = 15\nconnections = 16777215`;
  expect(parse(all)).toEqual([
    plainRule("rule 1", { uids: [{ first: 0xfffffffe, last: 0xfffffffe }] }),
    plainRule("rule 2", {
      gids: [{ first: 8, last: 8 }],
      types: [15],
      connections: 0xffffff,
    }),
  ]);
});

test("reads every known key and shows each in the description", () => {
  const looked = new Set<string>();
  readRule(recorded({ action: "allow" }, looked), 1, ACCOUNTS, () => {});
  const known = /there are (.*)$/.exec(
    problems('[[rule]]\naction = "allow"\nnone = 7').join(),
  )?.[1];
  expect([...looked].toSorted()).toEqual((known ?? "").split(", ").toSorted());

  const told = new Set<string>();
  const rule = plainRule("r");
  describeRule(recorded(rule, told));
  expect(Object.keys(rule).filter((name) => !told.has(name))).toEqual(["name"]);
});

test("a rule that names anybody, or any kind of socket, is not one for everybody", () => {
  const looked = new Set<string>();
  const rule = plainRule("r");
  lateWarning({ source: "test", rules: [recorded(rule, looked)] });
  const others = Object.keys(rule).filter((name) => !looked.has(name));
  expect(others).toEqual(["name", "allow", "socketsPerMinute", "connections"]);
});

const inWords = (domain: number, type: number, protocol: number) =>
  describeAsked({ kind: "socket", domain, type, protocol });

test("names protocols only in the families that have them", () => {
  expect(inWords(10, 1, 0)).toBe("AF_INET6 SOCK_STREAM IPPROTO_TCP");
  expect(inWords(16, 3, 6)).toBe("AF_NETLINK SOCK_RAW protocol 6"); // NETLINK_XFRM
  expect(inWords(43, 1, 1)).toBe("AF_SMC SOCK_STREAM protocol 1");
  expect(inWords(10, 10, 6)).toBe("AF_INET6 SOCK_PACKET IPPROTO_TCP"); // SOCK_PACKET means AF_PACKET only under AF_INET
});

test("an empty policy has no rules", () => {
  expect(parse("# nothing\n")).toEqual([]);
});

test("reads a rule of kind status", () => {
  const [rule] = parse('[[rule]]\naction = "allow"\nkind = "status"\nuser = "bob"');
  expect(rule?.kind).toBe("status");
});

describe("invalid policies", () => {
  test.each([
    ["rule = 3", '"rule" must be a list of tables'],
    ["rule = [3]", '"rule" must be a list of tables'],
    ["[rule]\naction = 'allow'", '"rule" must be a list of tables'],
    ["[[rules]]\naction = 'allow'", '"rules" is unknown here'],
    ["[[rule]]", 'rule 1: action must be "allow" or "deny"'],
    ["[[rule]]\naction = 'Allow'", "action must be"],
    ["[[rule]]\naction = 'allow'\nusers = 'alice'", 'the key "users" is unknown'],
    [
      "[[rule]]\naction = 'allow'\nports = 3000",
      '"ports" is unknown: a policy does not look at po',
    ],
    ["[[rule]]\naction = 'allow'\nportocol = 'tcp'", 'key "portocol" is unknown: there are name,'],
    ["[[rule]]\naction = 'allow'\nprotocol = 'tcp/53'", 'l "tcp/53" is unknown: a policy does not'],
    ["[[rule]]\naction = 'allow'\nuser = 'mallory'", 'user "mallory" is unknown: /etc/passwd'],
    ["[[rule]]\naction = 'allow'\nuser = 'alice, bob'", 'is unknown: write ["alice","bob"]'],
    ["[[rule]]\naction = 'allow'\ngroup = 'staff'", 'group "staff" is unknown: /etc/group'],
    ["[[rule]]\naction = 'allow'\nuid = -1", 'uid "-1" is unknown'],
    ["[[rule]]\naction = 'allow'\nuid = '9-3'", "a range with the smaller one first, like"],
    ["[[rule]]\naction = 'allow'\nuid = 4294967295", "write a number up to 4294967294, or"],
    ["[[rule]]\naction = 'allow'\nuid = [1, 1.5]", 'uid "1.5" is unknown: write a number'],
    ["[[rule]]\naction = 'allow'\nuid = [[1]]", "uid must be a text, a number, or a list"],
    [
      "[[rule]]\naction = 'allow'\nuser = []",
      "user must be a text, a number, or a list of at least one",
    ],
    ["[[rule]]\naction = 'allow'\ntype = 'STREEM'", 'type "STREEM" is unknown: there are SOCK_S'],
    ["[[rule]]\naction = 'deny'\ntype = 2049", "SOCK_DCCP, SOCK_PACKET, and numbers up to 15"],
    [
      "[[rule]]\naction = 'allow'\nfamily = 'SOCK_RAW'",
      'family "SOCK_RAW" is unknown: write type = "SOCK_RAW"',
    ],
    ["[[rule]]\naction = 'deny'\nfamily = 'IPv6'", 'family "IPv6" is unknown: write "AF_INET6"'],
    ["[[rule]]\naction = 'deny'\nfamily = [10, 6]", 'family "6" is unknown: write "AF_INET6"'],
    ["[[rule]]\naction = 'allow'\nfamily = [4]", 'family "4" is unknown: write "AF_INET"'],
    ["[[rule]]\naction = 'deny'\nfamily = 'ip-v6'", 'family "ip-v6" is unknown: write "AF_INET6"'],
    ["[[rule]]\naction = 'deny'\nfamily = '06'", 'family "06" is unknown: write "AF_INET6"'],
    ["[[rule]]\naction = 'allow'\nfamily = 'ipv4'", 'family "ipv4" is unknown: write "AF_INET"'],
    ["[[rule]]\naction = 'allow'\ntype = 'tcp'", 'type "tcp" is unknown: write protocol = "tcp"'],
    ["[[rule]]\naction = 'allow'\nprotocol = '-6'", 'protocol "-6" is unknown: there are'],
    ["[[rule]]\naction = 'allow'\nprotocol = true", "protocol must be a text, a number"],
    ["[[rule]]\naction = 'allow'\nconnections = 0", "connections must be a number from 1"],
    ["[[rule]]\naction = 'allow'\nconnections = 'many'", "connections must be a number"],
    ["[[rule]]\naction = 'allow'\nconnections = 1.5", "connections must be a number"],
    ["[[rule]]\naction = 'allow'\nconnections = 16777216", "a number from 1 to 16777215"],
    ["[[rule]]\nname = ''", "rule 1: action must be"],
    ["[[rule]]\naction = 'allow'\nkind = 'port'", 'kind must be "socket" or "status"'],
    ["[[rule]]\naction = 'allow'\nname = 3", "name must be a text"],
    ["[[rule]]\naction = 'allow'\nname = 'x'\nfoo = 1", 'rule 1 ("x"): the key "foo" is unknown'],
  ])("refuses %j", (text, problem) => {
    expect(problems(text).join("\n")).toContain(problem);
  });

  test("refuses a key without meaning in its kind of rule or in a denying rule", () => {
    const keys = ["uid", "family", "type", "protocol", "sockets_per_minute", "connections"];
    const refused = (kind: string, action: string) =>
      keys.filter((key) =>
        problems(`[[rule]]\nkind = "${kind}"\naction = "${action}"\n${key} = 1`).some((problem) =>
          problem.includes(`${key} has no meaning in a rule `),
        ),
      );
    expect(refused("socket", "allow")).toEqual([]);
    expect(refused("socket", "deny")).toEqual(keys.slice(4));
    expect(refused("status", "allow")).toEqual(keys.slice(1));
  });

  test("refuses a table with more than 1000 entries before parsing it", () => {
    const keys = Array.from({ length: 1001 }, (_, i) => `k${i} = 1`);
    const found =
      "p.toml:1001: here a table has more than 1000 entries, and a rule has a dozen: name a policy";
    expect(problems(keys.join("\n"))).toEqual([found]);
    expect(problems(keys.map((key) => `[${key.slice(0, -4)}]`).join("\n"))).toEqual([found]);
    const rules = keys.map((_, i) => `[[rule]]\naction = "allow"\nuid = ${i}\n# x = y\n`);
    expect(parse(rules.join(""))).toHaveLength(1001);
    const dotted = keys.map((key) => `a.${key}`).join("\n");
    expect(problems(dotted)).toEqual([found]);
    for (const id of ["1,", "1, # name = x"])
      expect(parse(`[[rule]]\naction = "allow"\nuid = [\n${`${id}\n`.repeat(2000)}]`)).toHaveLength(
        1,
      );
  });

  test("reports a mistake in one line despite line breaks in names", () => {
    expect(problems('"a\\nb" = 1')[0]).toStartWith('p.toml: "a\\x0ab" is unknown');
    expect(() => readPolicy("/nowhere/p\nq.toml")).toThrow(
      "/nowhere/p\\x0aq.toml: cannot be read (ENOENT)",
    );
  });

  test("gives the remedy for a file that cannot be read", () => {
    using dir = tempDir();
    symlinkSync("loop", dir.join("loop"));
    expect(() => readPolicy(dir.path)).toThrow("(EISDIR). Give the path of a file that");
    expect(() => readPolicy(dir.join("loop"))).toThrow("(ELOOP). The symbolic links in the path");
    expect(() => readPolicy(dir.join("n".repeat(256)))).toThrow("(ENAMETOOLONG). Use a shorter");
    const descriptor =
      "(ENOENT). There is no such descriptor in this process, and --user keeps none.";
    for (const path of ["/dev/fd/999999", "/proc/self/fd/999999"])
      expect(() => readPolicy(path)).toThrow(descriptor);
  });

  test("reports a directory that has replaced the file", () => {
    using dir = tempDir();
    const path = dir.join("p.toml");
    writeFileSync(path, "");
    const read = policyFile(path);
    read();
    rmSync(path);
    mkdirSync(path);
    expect(read).toThrow("(EISDIR). Give the path of a file that");
  });

  test("reports all mistakes at once", () => {
    expect(problems("[[rule]]\nuser = 'x'\n[[rule]]\naction = 'deny'\ntype = 'y'")).toHaveLength(3);
  });

  test("says what to do where the parser's words do not", () => {
    for (const value of ["1000-2000", "100000-165535", "10 - 20", '[ 1000-2000, "5" ]', "[\n5-7]"])
      expect(problems(`[[rule]]\naction = "allow"\nuid = ${value}\n`).join()).toMatch(
        /^p.toml:[34]: TOML Parse error: .*: write a range in quotes, like "100000-165535"$/,
      );
    expect(problems('[[rule]]\naction = "allow"\nuser = "x"\nuser = "y"\n')).toEqual([
      `p.toml:4: TOML Parse error: Cannot redefine key 'user': begin each rule with [[rule]], and give several values as a list, like ["alice", "bob"]`,
    ]);
    for (const other of ['"a 1-2" b', "alice # 1-2", "alice-1-2", "open 9-17"])
      // no range that lacks its quotes
      expect(problems(`[[rule]]\nname = ${other}\n`).join()).not.toContain("range");
  });

  test("reports the line of a syntax error", () => {
    const text =
      "# a policy\n[[rule]]\naction = 'allow'\nuser = alice\n[[rule]]\naction = 'deny'\n";
    expect(problems(text)).toEqual(['p.toml:4: TOML Parse error: Strings must be quoted: "alice"']);
    expect(problems("[[rule]\naction = 'allow'\n")[0]).toStartWith("p.toml:1: ");
    expect(problems('{"rule": []}')).toEqual([
      "p.toml:1: TOML Parse error: Expected a key but found '{': a policy is a list of [[rule]] tables",
    ]);
    expect(problems("[[rule]]\naction\n# more\n")[0]).toStartWith("p.toml:2: ");
    expect(problems("[[rule]]\naction")[0]).toStartWith("p.toml:2: ");
  });
});

test("explain gives the reason why each rule did not decide", () => {
  const policy = parsePolicy(
    "p.toml",
    `[[rule]]
     action = "deny"
     user = "bob"
     [[rule]]
     action = "allow"
     type = "raw"
     [[rule]]
     action = "allow"
     [[rule]]
     action = "deny"`,
    ACCOUNTS,
  );
  const alice = { uid: 1000, gid: 1000, groups: () => [] };
  const asked = { kind: "socket", domain: 2, type: 1, protocol: 0 } as const;
  const steps = explain(policy, alice, asked);
  expect(steps.map((step) => step.outcome)).toEqual(["user", "type", "decides"]);
});

test("reads a file and refuses a missing, unreadable or huge one", () => {
  using dir = tempDir();
  const path = dir.join("p.toml");
  writeFileSync(path, '[[rule]]\naction = "allow"\nuser = "root"\n');
  expect(readPolicy(path).source).toBe(path);
  expect(() => readPolicy(dir.join("none"))).toThrow(PolicyError);
  expect(() => readPolicy(dir.path)).toThrow(PolicyError);
  writeFileSync(path, "#".repeat(1 << 20));
  expect(readPolicy(path).rules).toEqual([]);
  writeFileSync(path, "#".repeat((1 << 20) + 1));
  expect(() => readPolicy(path)).toThrow("more than 1048576 bytes");
  expect(() => readPolicy("/dev/zero")).toThrow("more than 1048576 bytes");
  const open = [...descriptors().values()];
  expect(open.filter((file) => file.startsWith(dir.path) || file === "/dev/zero")).toEqual([]);
});
