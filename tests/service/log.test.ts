import { describe, expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import type { ServerStatus } from "@xsocket/server";
import {
  eventually,
  HELD_TO_MODES,
  here,
  seenCommand,
  startServer,
  tempDir,
  typed,
  XSOCKET,
} from "../harness/index.ts";
import { ASK, askOnce, RawClient } from "../server/raw.ts";

/** Starts a server, has one request refused, and returns its log. */
async function logOf(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  await using server = await startServer({ args, env });
  await here.run(["python3", "-c", ASK, server.path, "58533031000000020000000300000001"]);
  await eventually("the refusal to be logged", () => /refused/.test(server.program.stderr));
  await server.stop();
  return server.program.stderr;
}

describe("the log", () => {
  test("is one JSON object per line with --log-format json", async () => {
    const lines = (await logOf(["--log-format", "json"])).trimEnd().split("\n");
    const records = lines.map((line): { event: string } => JSON.parse(line));
    const refused = records.find(({ event }) => event === "denied");
    expect(refused).toMatchObject({
      level: "warning",
      command: seenCommand("python3"),
      uid: process.getuid?.() ?? -1,
      asked: "AF_INET SOCK_RAW IPPROTO_ICMP",
      reason: "no rule",
    });
  });

  test("has priorities with --log-format journal", async () => {
    const log = await logOf(["--log-format", "journal"]);
    expect(log).toMatch(/^<6>serving at /m);
    expect(log).toMatch(
      /^<4>refused AF_INET SOCK_RAW IPPROTO_ICMP \(no rule\) pid=\d+ uid=\d+ gid=\d+ command=\S+$/m,
    );
  });

  test("has priorities if stderr is the journal's stream, also before JSON", async () => {
    using dir = tempDir();
    const script = 'exec 2>log; JOURNAL_STREAM=$(stat -c %d:%i log) exec "$@"';
    const log = async (...args: readonly string[]) => {
      const argv = ["sh", "-c", script, "sh", XSOCKET, "serve", dir.join("control"), ...args];
      await using server = here.spawn(argv, { cwd: dir.path });
      await eventually("the server", () => here.listensAt(dir.join("control")));
      server.kill();
      expect(await server.finished()).toBe(0);
      return Bun.file(dir.join("log")).text();
    };
    expect(await log()).toMatch(/^<6>serving at [^\n]+\n$/);
    expect(await log("--log-format", "json")).toMatch(/^<6>\{"time":[^\n]+\}\n$/);
  });

  test("is appended to a file", async () => {
    using dir = tempDir();
    const [path, log, policy] = [dir.join("control"), dir.join("log"), dir.join("policy")];
    await Bun.write(log, "before\n");
    await Bun.write(policy, '[[rule]]\naction = "allow"\n');
    const script = 'exec "$@" 2>>"$0"';
    const argv = ["sh", "-c", script, log, XSOCKET, "serve", path, "--policy", policy];
    await using server = here.spawn(argv);
    const key = "x".repeat(10_000); // more than is written at once
    const text = `before
xsocket: serving at ${path}
xsocket: error: the policy stays as it was: ${policy}: "${key}" is unknown here: a policy is a list of [[rule]] tables
`;
    const logged = () => Bun.file(log).text();
    await eventually("the server", async () => /serving/.test(await logged()));
    await Bun.write(policy, `${key} = 1\n`);
    server.kill("SIGHUP");
    await eventually("the log", async () => (await logged()).length >= text.length);
    server.kill();
    expect(await server.finished()).toBe(0);
    expect(await logged()).toBe(text);
  });

  test("contains each grant at level debug", async () => {
    await using server = await startServer({ args: ["--log-level", "debug"] });
    expect(askOnce(server.path)).toBe(0);
    await server.program.says(/^xsocket: debug: gave socket\(2, 1, 0\) to process \d+ of uid/m);
  });

  test("contains each packet that gets no answer at level debug", async () => {
    await using server = await startServer({ args: ["--log-level", "debug"] });
    for (const hex of ["3130535800000002000000010000", "5853", "ff".repeat(300)]) {
      using client = new RawClient(server.path);
      client.send(Uint8Array.fromHex(hex));
      await client.closing();
    }
    await server.program.says(/packet of 300 bytes/);
    const end = `is no request that it may make pid=${process.pid} uid=${process.geteuid?.()}`;
    expect(
      server.program.stderr.match(/(?<=debug: closed a connection: its packet of ).*/g),
    ).toEqual([
      `14 bytes, which begins with 31305358, ${end}`,
      `2 bytes, which begins with 5853, ${end}`,
      `300 bytes, which begins with ffffffff, ${end}`,
    ]);
  });

  test("is for a person if stderr is not the journal's stream", async () => {
    const log = await logOf([], { JOURNAL_STREAM: "1:1" });
    expect(log).toMatch(/^xsocket: serving at /m);
    expect(log).toMatch(/^xsocket: warning: refused AF_INET SOCK_RAW/m);
  });
});

/* Runs a program whose stderr is a terminal of this mode that nobody reads. */
const ON_A_TERMINAL = `import os, pty, subprocess, sys
_, terminal = pty.openpty()
os.fchmod(terminal, int(sys.argv[1], 8))
sys.exit(subprocess.run(sys.argv[2:], stderr=terminal).returncode)`;

test.each([
  ["", "620"],
  [" and that this user may not open", "0"],
])("a terminal that nobody reads%s does not block the main thread", async (_, mode) => {
  using dir = tempDir();
  const [path, metrics] = [dir.join("control"), dir.join("metrics")];
  const serve = [XSOCKET, "serve", path, "--log-level", "debug", "--metrics", metrics];
  const onTerminal = ["python3", "-c", ON_A_TERMINAL, mode, ...HELD_TO_MODES, ...serve];
  await using terminal = here.spawn(onTerminal);
  await eventually("the metrics", () => existsSync(metrics));
  using client = new RawClient(path);
  for (let i = 0; i < 3000; i++) expect(client.ask()).toBe(0);
  const asked = fetch("http://x/metrics", { unix: metrics, signal: AbortSignal.timeout(30_000) });
  expect((await asked).status).toBe(200);
  const status = await here.run([XSOCKET, "status", path, "--json"]);
  const { pid, descriptors }: ServerStatus = JSON.parse(status.stdout);
  expect(descriptors.open).toBeLessThan(100); // it opens the terminal once
  process.kill(pid, "SIGTERM");
  expect(await terminal.finished()).toBe(0);
});

/* As after su(1), where the user may write to the terminal but not open it. */
test("logs to a terminal that this user may not open", async () => {
  using dir = tempDir();
  const serve = typed(...HELD_TO_MODES, XSOCKET, "serve", dir.join("control"));
  const script = ["script", "-qec", `chmod 0 "$(tty)" && echo $$ && exec ${serve}`, "/dev/null"];
  await using terminal = here.spawn(script);
  const [, pid] = await terminal.says(/(\d+)/);
  await terminal.says(/serving at/);
  process.kill(Number(pid), "SIGTERM");
  expect(await terminal.finished()).toBe(0);
});

test("a log that nobody reads blocks neither clients nor the stop", async () => {
  using directory = tempDir();
  const fifo = directory.join("log");
  const path = directory.join("control");
  const policy = directory.join("policy");
  writeFileSync(policy, '[[rule]]\naction = "allow"\n');
  // the shell holds the pipe's other end and never reads
  const script = `mkfifo "$0" && exec 3<>"$0" && exec "$@" --log-level debug 2>"$0"`;
  const argv = ["sh", "-c", script, fifo, XSOCKET, "serve", path, "--policy", policy];
  await using server = here.spawn(argv);
  await eventually("the server", () => here.listensAt(path));
  expect(askOnce(path)).toBe(0); // it has read the policy
  writeFileSync(policy, `${"x".repeat(100_000)} = 1\n`); // the error takes more than the pipe holds
  server.kill("SIGHUP");
  for (let i = 0; i < 2000; i++) expect(askOnce(path)).toBe(0); // 150 KB of log
  server.kill("SIGTERM");
  expect(await server.finished()).toBe(0);
});
