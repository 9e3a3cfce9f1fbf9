import { expect, test } from "bun:test";
import {
  appendFileSync,
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { xsocketSync } from "@xsocket/client";
import { type Policy, plainRule, type ServeOptions, serve } from "@xsocket/server";
import { codeOf, loadSyscalls } from "@xsocket/xbind-native";
import { limitDescriptors } from "../server/process.ts";
import {
  descriptors,
  eventually,
  HELD_TO_MODES,
  here,
  isContained,
  leaked,
  OWN_MOUNTS,
  seenCommand,
  startServer,
  tempDir,
} from "../harness/index.ts";
import { blocksOf } from "../docs/blocks.ts";

const POLICY: Policy = {
  source: "test",
  rules: [
    plainRule("no datagrams", { allow: false, types: [2] }),
    plainRule("streams", { socketsPerMinute: 2 }),
  ],
};

/** Requests one socket and closes it. Returns the errno's name, or "ok". */
function ask(path: string, type: "stream" | "dgram" | "raw"): string {
  try {
    xsocketSync({ via: path, family: 4, type }).close();
    return "ok";
  } catch (error) {
    return codeOf(error);
  }
}

interface Line {
  readonly outcome: string;
  readonly asked: string;
  readonly rule?: string;
  readonly reason?: string;
  readonly error?: string;
  readonly uid: number;
  readonly command: string;
  readonly pid: number;
}

function lines(path: string): Line[] {
  return readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line): Line => JSON.parse(line));
}

async function start(options: ServeOptions, path: string) {
  return serve({ address: path, policy: POLICY, ...options });
}

test("writes one line for each grant and refusal, with client, socket, rule and reason", async () => {
  using dir = tempDir();
  const [path, auditFile] = [dir.join("control"), dir.join("audit")];
  const records: string[] = [];
  const log = ({ event, message }: { event: string; message: string }) =>
    void records.push(`${event}: ${message}`);
  await using server = await start({ auditFile, log }, path);
  expect((["stream", "dgram", "stream", "stream"] as const).map((type) => ask(path, type))).toEqual(
    ["ok", "EPERM", "ok", "EPERM"],
  );
  const found = lines(auditFile);
  expect(found.map((line) => [line.outcome, line.asked, line.rule, line.reason])).toEqual([
    ["granted", "AF_INET SOCK_STREAM IPPROTO_TCP", "streams", undefined],
    ["refused", "AF_INET SOCK_DGRAM IPPROTO_UDP", "no datagrams", "rule"],
    ["granted", "AF_INET SOCK_STREAM IPPROTO_TCP", "streams", undefined],
    ["refused", "AF_INET SOCK_STREAM IPPROTO_TCP", "streams", "sockets per minute"],
  ]);
  const comm = seenCommand(readFileSync("/proc/self/comm", "utf8").trim());
  for (const line of found)
    expect([line.uid, line.pid, line.command]).toEqual([
      process.getuid?.() ?? -1,
      process.pid,
      comm,
    ]);
  expect(found.map(({ error }) => error)).toEqual([undefined, "EPERM", undefined, "EPERM"]);
  expect(statSync(auditFile).mode & 0o777).toBe(0o600);
  await eventually("the log to say it", () => records.length === 2);
  // Each thread sends its records separately, so their order is not fixed.
  expect(records.toSorted()).toEqual([
    "denied: refused AF_INET SOCK_DGRAM IPPROTO_UDP (rule, no datagrams)",
    "denied: refused AF_INET SOCK_STREAM IPPROTO_TCP (sockets per minute, streams)",
  ]);
  expect(server.stats().refusals).toMatchObject({ rule: 1, "sockets per minute": 1 });
});

test("a line has the keys of the example in docs/policy.md, that of a refusal also error and reason", async () => {
  using dir = tempDir();
  const [path, auditFile] = [dir.join("control"), dir.join("audit")];
  await using server = await start({ auditFile }, path);
  expect([ask(server.address, "stream"), ask(server.address, "dgram")]).toEqual(["ok", "EPERM"]);
  const example = blocksOf("docs/policy.md").find(({ language }) => language === "json");
  const keys = Object.keys(JSON.parse(example?.code ?? "{}"));
  const [granted, refused] = lines(auditFile).map((line) => Object.keys(line));
  expect(granted).toEqual(keys);
  expect(refused?.toSorted()).toEqual([...keys, "error", "reason"].toSorted());
});

test("writes the command's name unchanged but for escapes, with spaces at its end", async () => {
  using dir = tempDir();
  const auditFile = dir.join("audit");
  await using server = await start({ auditFile }, dir.join("control"));
  const before = readFileSync("/proc/self/comm", "utf8").trim();
  const names = ["  ", "a b ", 'x"\\\t', "line\n"];
  try {
    for (const name of names) {
      writeFileSync("/proc/self/comm", name);
      ask(server.address, "dgram");
    }
  } finally {
    writeFileSync("/proc/self/comm", before);
  }
  const written = ["  ", "a b ", 'x"\\\\x09', "line\\x0a"].map((name) => seenCommand(name));
  expect(lines(auditFile).map(({ command }) => command)).toEqual(written);
});

test("a reload opens a rotated file again and loses no line", async () => {
  using dir = tempDir();
  const [path, auditFile] = [dir.join("control"), dir.join("audit")];
  await using server = await start({ auditFile }, path);
  ask(path, "dgram");
  renameSync(auditFile, `${auditFile}.1`);
  ask(path, "dgram");
  await server.reload();
  ask(path, "dgram");
  expect(lines(`${auditFile}.1`)).toHaveLength(2);
  expect(lines(auditFile)).toHaveLength(1);
});

test("a reload opens a rotated file again even if the policy is invalid", async () => {
  using dir = tempDir();
  const [path, auditFile] = [dir.join("control"), dir.join("audit")];
  let isBad = false;
  const policy = () => (isBad ? Promise.reject(new Error("a mistake")) : Promise.resolve(POLICY));
  await using server = await start({ auditFile, policy }, path);
  renameSync(auditFile, `${auditFile}.1`);
  isBad = true;
  expect(await server.reload().catch(String)).toBe("Error: a mistake");
  expect([ask(path, "dgram"), ask(path, "stream")]).toEqual(["EPERM", "ok"]);
  expect(lines(auditFile)).toHaveLength(2);
});

test("a reload opens a rotated file again while the policy is still being read", async () => {
  using dir = tempDir();
  const [path, auditFile] = [dir.join("control"), dir.join("audit")];
  const reading = Promise.withResolvers<typeof POLICY>();
  const policies = [POLICY];
  const policy = () => policies.shift() ?? reading.promise;
  await using server = await start({ auditFile, policy }, path);
  renameSync(auditFile, `${auditFile}.1`);
  const reload = server.reload();
  expect(ask(path, "stream")).toBe("ok");
  expect(lines(auditFile)).toHaveLength(1);
  reading.resolve(POLICY);
  await reload;
});

test("logs which part of a reload failed", async () => {
  using dir = tempDir();
  const [logs, policy] = [dir.join("logs"), dir.join("policy")];
  mkdirSync(logs);
  await Bun.write(policy, '[[rule]]\naction = "allow"\n');
  const args = ["--audit", join(logs, "audit"), "--policy", policy];
  await using server = await startServer({ args });
  const { program } = server;
  rmSync(logs, { recursive: true });
  program.kill("SIGHUP");
  await program.says(
    / reloaded: .*\n.*error: the audit file stays as it was: cannot write the audi.*/,
  );
  expect(program.stderr).not.toContain("the policy stays");
  await Bun.write(policy, "wrong = 1\n");
  program.kill("SIGHUP");
  await program.says(/error: the policy stays as it was: .*"wrong" is unknown.*\n.*the audit file/);
  expect(program.stderr.match(/ reloaded: /g)).toHaveLength(1);
});

test("refuses to start when the audit file cannot be written", async () => {
  using dir = tempDir();
  const started = start({ auditFile: dir.join("none/audit") }, dir.join("control"));
  await expect(started).rejects.toThrow(
    /^cannot write the audit file .*: [A-Z]+\. Give the path of a file that this user may write/,
  );
  const path = dir.join("control");
  const itself = start({ auditFile: path }, path);
  await expect(itself).rejects.toThrow(/^cannot write the audit file .*: it is a socket\. Give/);
  expect(existsSync(path)).toBe(false);
});

test("loses lines of a full FIFO, logs it, and goes on", async () => {
  using dir = tempDir();
  const [path, fifo] = [dir.join("control"), dir.join("audit")];
  expect(await here.spawn(["mkfifo", fifo]).finished()).toBe(0);
  await expect(start({ auditFile: fifo }, path)).rejects.toMatchObject({
    message: expect.stringContaining("a FIFO that nobody reads"),
    cause: { code: "ENXIO" },
  });
  const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  await using server = await startServer({ path, args: ["--audit", fifo] });
  for (let i = 0; i < 1000; i++) expect(ask(path, "stream")).toBe("ok"); // a pipe holds 64 KiB
  await server.program.says(/a line of the audit file is lost: EAGAIN\. Check that there is room/);
  closeSync(reader);
  expect(ask(path, "stream")).toBe("ok");
});

test.skipIf(isContained)(
  "a full disk cuts one line, and the next starts on a new line",
  async () => {
    using dir = tempDir();
    const disk = dir.join("disk");
    mkdirSync(disk);
    const script = `mount -t tmpfs -o size=12k none "$0" && head -c 4096 /dev/zero >"$0/ballast" && exec "$@"`;
    const before = [...OWN_MOUNTS, "sh", "-c", script, disk];
    await using server = await startServer({ before, args: ["--audit", join(disk, "audit")] });
    const { path, program } = server;
    for (let i = 0; i < 100; i++) expect(ask(path, "stream")).toBe("ok");
    await program.says(/a line of the audit file is lost: E[A-Z]{3}/);
    const seen = `/proc/${program.pid}/root${disk}`;
    unlinkSync(join(seen, "ballast"));
    for (let i = 0; i < 3; i++) expect(ask(path, "stream")).toBe("ok");
    const found = readFileSync(join(seen, "audit"), "utf8").trim().split("\n");
    const isCut = found.map((line) => !line.endsWith("}"));
    expect(isCut.filter(Boolean)).toHaveLength(1);
    expect(isCut.slice(-3)).toEqual([false, false, false]);
  },
);

test("completes the cut line of an earlier server with a line break", async () => {
  using dir = tempDir();
  const [path, auditFile] = [dir.join("control"), dir.join("audit")];
  await Bun.write(auditFile, '{"time":');
  await using server = await start({ auditFile }, path);
  expect(ask(path, "stream")).toBe("ok");
  expect(readFileSync(auditFile, "utf8")).toMatch(/^\{"time":\n\{.*\}\n$/);
  await Bun.write(auditFile, '{"time":');
  renameSync(auditFile, `${auditFile}.1`);
  await server.reload();
  expect(ask(path, "stream")).toBe("ok");
  expect(readFileSync(auditFile, "utf8")).toMatch(/^\{.*\}\n$/);
  await server.reload(); // after a whole line there is no line break
  expect(ask(path, "dgram")).toBe("EPERM");
  expect(readFileSync(auditFile, "utf8")).toMatch(/^\{.*\}\n\{.*\}\n$/);
});

test("a line that is being written during a reload does not count as cut", async () => {
  using dir = tempDir();
  const [path, auditFile] = [dir.join("control"), dir.join("audit")];
  await using server = await start({ auditFile }, path);
  appendFileSync(auditFile, '{"time":'); // a reader may see a part of a line
  await server.reload();
  appendFileSync(auditFile, "0}\n");
  expect(ask(path, "dgram")).toBe("EPERM");
  expect(readFileSync(auditFile, "utf8")).toMatch(/^\{"time":0\}\n\{.*\}\n$/);
});

test("appends to an audit file that the server may not read", async () => {
  using dir = tempDir();
  const auditFile = dir.join("audit");
  writeFileSync(auditFile, "{}\n", { mode: 0o200 });
  await using server = await startServer({ before: HELD_TO_MODES, args: ["--audit", auditFile] });
  expect(ask(server.path, "stream")).toBe("ok");
  chmodSync(auditFile, 0o600);
  expect(readFileSync(auditFile, "utf8")).toMatch(/^\{\}\n\{.*\}\n$/);
});

test("reports a new audit file that cannot take the old one's place, and closes it", async () => {
  using dir = tempDir();
  const taken = Array.from({ length: 200 }, () => openSync("/dev/null", "r"));
  await using server = await serve({ address: dir.join("control"), auditFile: dir.join("audit") });
  for (const fd of taken) closeSync(fd);
  const limit = loadSyscalls().descriptorLimit();
  await limitDescriptors(process.pid, 150); // below the old one's number
  try {
    const before = descriptors();
    await expect(server.reload()).rejects.toMatchObject({ name: "ServeError", code: "SYSTEM" });
    expect(leaked(before)).toEqual([]);
  } finally {
    await limitDescriptors(process.pid, limit);
  }
});
