import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { errno } from "@xsocket/xbind-native";
import {
  eventually,
  expectSentence,
  here,
  isAlone,
  isChrooted,
  OWN_MOUNTS,
  startServer,
  tempDir,
  type TempDir,
  XSOCKET,
} from "../harness/index.ts";
import { askOnce } from "../server/raw.ts";

function xsocket(...args: string[]) {
  return here.run([XSOCKET, ...args]);
}

/** Runs an action of "policy" on a policy with this text. */
async function policy(text: string, action: "check" | "test", ...args: readonly string[]) {
  using dir = tempDir();
  await Bun.write(dir.join("p"), text);
  return await xsocket("policy", action, dir.join("p"), ...args);
}

/** A prefix for a command that finds the accounts of a directory's files passwd and group. */
function withAccounts(dir: TempDir): string[] {
  const mounts = ["passwd", "group"].map((name) => `mount --bind ${dir.join(name)} /etc/${name}`);
  return [...OWN_MOUNTS, "sh", "-c", `${mounts.join(" && ")} && exec "$@"`, "sh"];
}

const RULES = `
[[rule]]
name = "no root"
action = "deny"
user = "root"

[[rule]]
name = "ping for group 42"
action = "allow"
gid = 42
type = "raw"
protocol = "icmp"

[[rule]]
action = "allow"
connections = 4
`;

function ruleText(...keys: string[]): string {
  return ["[[rule]]", ...keys, ""].join("\n");
}

const checked = (...rules: string[]) => policy(rules.join(""), "check");

describe("policy", () => {
  test("check lists the rules in their order", async () => {
    const { code, stdout, stderr } = await policy(RULES, "check");
    expect(stderr).toBe("");
    expect(stdout).toBe(
      "1  no root: deny uid 0\n2  ping for group 42: allow gid 42 SOCK_RAW IPPROTO_ICMP\n3  rule 3: allow 4 connections\neverything else: deny\n",
    );
    expect(code).toBe(0);
  });

  test("test prints the outcome of each rule, and takes a relative path", async () => {
    using dir = tempDir();
    await Bun.write(dir.join("p"), RULES);
    const argv = [XSOCKET, "policy", "test", "p", "--uid", "0"];
    expect((await here.run(argv, { cwd: dir.path })).stdout).toBe(
      "1  no root: denies\nAF_INET SOCK_STREAM IPPROTO_TCP for uid 0: refused by no root\n",
    );
  });

  test("check warns of rules after one that decides for everybody", async () => {
    const all = ruleText('name = "all"', 'action = "allow"', "connections = 4");
    const root = ruleText('action = "deny"', "uid = 0");
    const group = ruleText('action = "allow"', "gid = 7");
    const raw = ruleText('action = "allow"', 'type = "raw"');
    const status = ruleText('action = "allow"', 'kind = "status"');
    expect(await checked(raw, all, status, root, raw, group)).toMatchObject({
      stderr:
        "xsocket: warning: all decides about ordinary sockets for everybody, so those after it do not (rule 4, rule 6): put it last\n",
      code: 0,
    });
    expect((await checked(root, group, all, raw, status)).stderr).toBe("");
    const nobody = ruleText('action = "deny"');
    expect((await checked(group, nobody, status, raw)).stderr).toBe(
      "xsocket: warning: rule 2 decides about all sockets for everybody, so those after it do not (rule 4): put it last\n",
    );
    expect((await checked(nobody, group)).stderr).toStartWith(
      "xsocket: warning: nobody gets a socket, since rule 1 of ",
    );
  });

  test("check warns of a rule that allows no socket that there is", async () => {
    const allow = (...keys: string[]) => ruleText('action = "allow"', ...keys);
    const streams = allow('type = "stream"', 'protocol = ["udp", "udplite", "icmp", "icmpv6"]');
    expect(await checked(allow('protocol = "udp"'), streams)).toMatchObject({
      stderr:
        "xsocket: warning: rule 2 allows nothing, since no SOCK_STREAM socket has the protocol IPPROTO_UDP,IPPROTO_UDPLITE,IPPROTO_ICMP,IPPROTO_ICMPV6: leave its type or its protocol out\n",
      code: 0,
    });
    const fine = [
      allow('type = "stream"', 'protocol = ["udp", "tcp"]'),
      allow('type = ["stream", "dgram"]', 'protocol = "udp"'),
      allow('type = "stream"', "protocol = 0"),
      allow('type = "stream"', 'protocol = "sctp"'),
      allow('type = "raw"', 'protocol = "udp"'),
      allow('family = ["inet", "netlink"]', 'type = "stream"', 'protocol = "udp"'),
      ruleText('action = "deny"', 'type = "stream"', 'protocol = "udp"'),
    ];
    expect((await checked(...fine)).stderr).toBe("");
  });

  test("check and test escape control characters in a rule's name", async () => {
    const rules = String.raw`[[rule]]
name = "mine: deny\n2  \u001b[8mhidden"
action = "allow"`;
    const name = String.raw`mine: deny\x0a2  \x1b[8mhidden`;
    expect(await policy(rules, "check")).toMatchObject({
      stdout: `1  ${name}: allow\neverything else: deny\n`,
    });
    expect(await policy(rules, "test", "--uid", "7")).toMatchObject({
      stdout: `1  ${name}: allows\nAF_INET SOCK_STREAM IPPROTO_TCP for uid 7: granted by ${name}\n`,
    });
  });

  test.each([
    [["--user", "root"], "AF_INET SOCK_STREAM IPPROTO_TCP for uid 0: refused by no root", 1],
    [["--uid", "7"], "AF_INET SOCK_STREAM IPPROTO_TCP for uid 7: granted by rule 3", 0],
    [
      ["--uid", "7", "--groups", "42,41", "--type", "raw", "--protocol", "icmp"],
      "AF_INET SOCK_RAW IPPROTO_ICMP for uid 7: granted by ping for group 42",
      0,
    ],
    [
      ["--uid", "7", "--type", "SOCK_RAW", "--protocol", "IPPROTO_ICMP"],
      "AF_INET SOCK_RAW IPPROTO_ICMP for uid 7: refused since no rule matches",
      1,
    ],
    [
      ["--uid", "7", "--family", "AF_PACKET"],
      "AF_PACKET SOCK_STREAM protocol 0 for uid 7: refused since no rule matches",
      1,
    ],
    [
      ["--uid", "7", "--gid", "42", "--type", "raw", "--protocol", "icmp"],
      "AF_INET SOCK_RAW IPPROTO_ICMP for uid 7: granted by ping for group 42",
      0,
    ],
    [
      ["--uid", "7", "--gid", "42", "--protocol", "icmp"],
      "AF_INET SOCK_DGRAM IPPROTO_ICMP for uid 7: refused since no rule matches",
      1,
    ],
    [
      ["--uid", "7", "--protocol", "udp"],
      "AF_INET SOCK_DGRAM IPPROTO_UDP for uid 7: granted by rule 3",
      0,
    ],
    [
      ["--uid", "7", "--protocol", "mptcp"],
      "AF_INET SOCK_STREAM IPPROTO_MPTCP for uid 7: granted by rule 3",
      0,
    ],
    [
      ["--uid", "7", "--family", "netlink", "--protocol", "17"],
      "AF_NETLINK SOCK_STREAM protocol 17 for uid 7: refused since no rule matches",
      1,
    ],
    [["--user", "root", "--status"], "the status for uid 0: granted, as it always is to root", 0],
    [
      ["--uid", "7", "--status"],
      "the status for uid 7: refused since no rule matches, unless the server runs as this user",
      1,
    ],
  ])("test %j", async (args, verdict, code) => {
    const result = await policy(RULES, "test", ...args);
    expect(result.stderr).toBe("");
    expect(result.stdout.trimEnd().split("\n").at(-1)).toBe(verdict);
    expect(result.code).toBe(code);
  });

  test("test uses the groups of /etc/passwd and /etc/group", async () => {
    using dir = tempDir();
    await Bun.write(dir.join("passwd"), "alice:x:7:8::/:/bin/sh\n");
    await Bun.write(dir.join("group"), "own:x:8:\nother:x:9:alice\n");
    const types = { stream: 8, dgram: 9, raw: 7 }; // 7 is only the user's id
    const rules = Object.entries(types).map(
      ([type, gid]) => `[[rule]]\naction = "allow"\ngid = ${gid}\ntype = "${type}"\n`,
    );
    await Bun.write(dir.join("p"), rules.join(""));
    const start = [...withAccounts(dir), XSOCKET, "policy", "test", dir.join("p")];
    const codesOf = (...who: string[]) =>
      Promise.all(
        Object.keys(types).map(
          async (type) => (await here.run([...start, ...who, "--type", type])).code,
        ),
      );
    expect(await codesOf("--user", "alice")).toEqual([0, 0, 1]);
    expect(await codesOf("--uid", "7")).toEqual([0, 0, 1]);
    expect(await codesOf("--uid", "5", "--groups", "other,7")).toEqual([1, 0, 0]);
    expect(await codesOf("--uid", "5", "--gid", "other")).toEqual([1, 0, 1]);
    expect(await codesOf("--uid", "9")).toEqual([1, 0, 1]); // no user has this id: its group is taken to be 9
  });

  const FOR_NOBODY = '[[rule]]\naction = "allow"\nkind = "status"\nuid = 65534\n';
  const AS_NOBODY = ["--uid", "65534", "--status"];

  test.skipIf(isAlone)("test of the status matches a rule like any other", async () => {
    const { code, stdout } = await policy(FOR_NOBODY, "test", ...AS_NOBODY);
    expect(stdout).toEndWith("the status for uid 65534: granted by rule 1\n");
    expect(code).toBe(0);
  });

  test.skipIf(isChrooted)(
    "test matches no rule for the id nobody where ids are unmapped",
    async () => {
      using dir = tempDir();
      await Bun.write(dir.join("p"), FOR_NOBODY);
      const within = ["unshare", "--user", "--map-root-user", XSOCKET, "policy", "test"];
      const { code, stdout } = await here.run([...within, dir.join("p"), ...AS_NOBODY]);
      expect(stdout).toContain("refused since no rule matches");
      expect(code).toBe(1);
    },
  );

  test.each([
    [["policy"], 2, 'no action is named: say "xsocket policy check FILE"'],
    [["policy", "chekc"], 2, 'there is no action "chekc": say "xsocket policy check FILE"'],
    [["policy", "check"], 2, "no policy is named"],
    [["policy", "check", "/nonexistent"], 1, "/nonexistent: cannot be read"],
    [["policy", "test", "/dev/null"], 2, "no user is given"],
    [["policy", "check", "/dev/null", "--uid", "3"], 2, 'leave --uid out, or use "test"'],
    [["policy", "test", "/dev/null", "--user", "root", "--uid", "5"], 2, "give only one of them"],
    [["policy", "test", "/dev/null", "--uid", "1", "--type", "x"], 2, '--type "x" is unknown'],
    [["policy", "test", "/dev/null", "--uid", "1", "--type", "udp"], 2, "say --protocol udp"],
    [["policy", "test", "/dev/null", "--uid", "1", "--family", "6"], 2, "say --family AF_INET6"],
    [["policy", "test", "/dev/null", "--uid", "1", "--type", "99"], 2, "and numbers up to 15"],
    [["policy", "test", "/dev/null", "--user", "no-such"], 2, 'there is no user "no-such"'],
    [["policy", "test", "/dev/null", "--uid", "1", "--gid", "-1"], 2, "needs a value"],
    [["policy", "test", "/dev/null", "--uid", "1", "--gid", "no-such"], 2, 'no group "no-such"'],
    [["policy", "test", "/nonexistent", "--uid", "1"], 2, "/nonexistent: cannot be read"],
  ])("reports the error of %j in one sentence", async (args, code, words) => {
    expectSentence(await xsocket(...args), code, words);
  });
});

test("warns at check, start and reload of a policy that allows nobody a socket", async () => {
  using dir = tempDir();
  const file = dir.join("p");
  await Bun.write(file, "# nothing yet\n");
  const warning = `xsocket: warning: nobody gets a socket, since no rule of ${file} allows one: add one with action = "allow", or check that this is the right file\n`;
  const told = { code: 0, stdout: "everything else: deny\n", stderr: warning };
  expect(await xsocket("policy", "check", file)).toEqual(told);
  await using server = await startServer({ args: ["--policy", file] });
  expect(server.program.stderr).toStartWith(warning);
  const reload = async (text: string) => {
    await Bun.write(file, text);
    const before = server.program.stderr.length;
    server.program.kill("SIGHUP");
    const said = () => server.program.stderr.slice(before);
    await eventually("the reload", () => said().includes("reloaded: "));
    return said();
  };
  expect(await reload(RULES)).not.toContain("warning");
  expect(await reload("")).toStartWith(warning);
  const status = '[[rule]]\naction = "allow"\nkind = "status"\n';
  expect(await reload(`${status}[[rule]]\naction = "deny"\n`)).toStartWith(warning);
  expect(await reload(`[[rule]]\naction = "deny"\n${RULES}`)).toStartWith(
    `xsocket: warning: nobody gets a socket, since rule 1 of ${file} denies all sockets to everybody: put it last\n`,
  );
  expect(askOnce(server.path)).toBe(-errno.EPERM);
});

test("names of --allow-user and --allow-group are looked up again at a reload", async () => {
  using dir = tempDir();
  const name = "xsocket-none"; // this machine has no such user
  const accounts = async (user: string, groups: string) => {
    await Bun.write(dir.join("passwd"), user);
    await Bun.write(dir.join("group"), groups);
  };
  const [root, seven] = [`${name}:x:0:0::/:/bin/sh\n`, `${name}:x:7:\n`];
  await accounts(`${name}:x:7:7::/:/bin/sh\n`, seven);
  const args = ["--allow-user", name, "--allow-group", name];
  await using started = await startServer({ before: withAccounts(dir), args });
  const { path, program: server } = started;
  expect(askOnce(path)).toBe(-errno.EPERM);
  await accounts(root, seven);
  server.kill("SIGHUP");
  await server.says(/reloaded: 2 rules of the command line\n/);
  await eventually("the threads to follow", () => askOnce(path) === 0);
  await accounts(root, "");
  server.kill("SIGHUP");
  await server.says(/the policy stays as it was: there is no group "xsocket-none": .*\n/);
  await accounts("", seven);
  server.kill("SIGHUP");
  await server.says(/the policy stays as it was: there is no user "xsocket-none" in .*\n/);
  expect(askOnce(path)).toBe(0);
});

test("a name of --allow-group is asked for once at a start", async () => {
  using dir = tempDir();
  const asked = dir.join("asked");
  const getent = `#!/bin/sh\necho "$*" >>${asked}\necho "$2:x:7:"\n`;
  writeFileSync(dir.join("getent"), getent, { mode: 0o755 });
  const env = { PATH: `${dir.path}:${process.env["PATH"]}` };
  await using server = await startServer({ args: ["--allow-group", "xsocket-none"], env });
  const question = "group xsocket-none\n";
  expect(await Bun.file(asked).text()).toBe(question);
  server.program.kill("SIGHUP");
  await server.program.says(/reloaded: /);
  expect(await Bun.file(asked).text()).toBe(question.repeat(2));
});

describe("a policy that is not a regular file", () => {
  test("a pipe is read at the start only; a reload keeps its rules", async () => {
    using dir = tempDir();
    const path = dir.join("control");
    const rule = `printf '[[rule]]\naction = "deny"\n'`;
    const script = `exec "$@" --policy <(${rule}; sleep 0.2; ${rule})`; // in two parts
    const argv = ["bash", "-c", script, "bash", XSOCKET, "serve", path];
    await using server = here.spawn(argv);
    await server.says(/serving at/);
    server.kill("SIGHUP");
    await server.says(/the policy stays as it was: .*: is not a regular file, .*\n/);
    const { stdout } = await xsocket("status", path, "--json");
    expect(JSON.parse(stdout)).toMatchObject({ policy: { rules: 2 } });
  });

  test("a FIFO without a writer ends the start but not a running server", async () => {
    using dir = tempDir();
    const [file, fifo] = [dir.join("p"), dir.join("fifo")];
    await here.run(["mkfifo", fifo]);
    expect(await xsocket("serve", dir.join("control"), "--policy", fifo)).toMatchObject({
      code: 1,
      stderr: `xsocket: ${fifo}: is not a regular file, and its text did not end within 5 s: give the path of a file, or a pipe that ends\n`,
    });
    await Bun.write(file, RULES);
    await using server = await startServer({ args: ["--policy", file] });
    await here.run(["mv", fifo, file]);
    server.program.kill("SIGHUP");
    await server.program.says(/the policy stays as it was: .*: is not a regular file, .*\n/);
    expect((await xsocket("status", server.path)).code).toBe(0);
  });
});
