/* Starting, and files at the path of the socket, with whole processes. */
import { expect, test } from "bun:test";
import {
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import {
  eventually,
  expectSentence,
  HELD_TO_MODES,
  here,
  isChrooted,
  isRoot,
  leaveStale,
  OWN_MOUNTS,
  refusing,
  socketUnit,
  startServer,
  tempDir,
  tryServing,
  XSOCKET,
} from "../harness/index.ts";
import { askOnce } from "./raw.ts";

/* The group's line in /etc/group: a user other than root may give a file only to a group of their own. */
function ownGroup(): string[] {
  const line = isRoot ? /^daemon:.*/m : new RegExp(`^.*:${process.getegid?.()}:.*`, "m");
  return line.exec(readFileSync("/etc/group", "utf8"))?.[0].split(":") ?? [];
}

const [group = "", , groupId] = ownGroup();

test.skipIf(group === "")("creates the socket with the given mode and group", async () => {
  await using server = await startServer({ args: ["--mode", "606", "--group", group] });
  const { mode, gid } = lstatSync(server.path);
  expect(mode & 0o7777).toBe(0o606);
  expect(gid).toBe(Number(groupId));
});

test("replaces the stale socket of a killed server", async () => {
  using directory = tempDir();
  const path = directory.join("s");
  {
    await using server = await startServer({ path });
    server.program.kill("SIGKILL");
    await server.program.finished();
  }
  expect(lstatSync(path).isSocket()).toBe(true);
  await using server = await startServer({ path });
  expect(askOnce(server.path)).toBe(0);
});

test("says what to do about a socket that this user may not open", async () => {
  await using server = await startServer({ args: ["--mode", "000"] });
  const second = await here.run([...HELD_TO_MODES, XSOCKET, "serve", server.path]);
  expect(second.stderr).toMatch(
    /: EACCES\. Choose another path, or remove that file if no server listens there\n$/,
  );
});

/* As under a Landlock scope. */
test("says what to do about an abstract name at which this user may not ask", async () => {
  await using server = await startServer({ path: `@xsocket-start-${process.pid}` });
  const start = refusing("connect", 2, 2 + server.path.length, "EPERM");
  const second = await here.run([...start, XSOCKET, "serve", server.path]);
  expect(second.stderr).toEndWith(": EPERM. Choose another name\n");
});

test("leaves a stale socket that is a mount point and gives a remedy", async () => {
  using directory = tempDir();
  const path = directory.join("s");
  leaveStale(path);
  const script = 'mount --bind "$1" "$1"; exec "$2" serve "$1"';
  const refused = await here.run([...OWN_MOUNTS, "sh", "-c", script, "sh", path, XSOCKET]);
  const says = `xsocket: cannot replace the socket of a dead server at ${path}: EBUSY. It is mounted there by itself: mount its directory instead\n`;
  expectSentence(refused, 1, says);
});

test.each([
  ["a path", {}],
  ["an abstract name", { path: `@xsocket-test-${process.pid}` }],
])("refuses %s in use and names the process", async (_, at) => {
  await using server = await startServer(at);
  const words = `process ${server.program.pid} listens there`;
  expectSentence(await tryServing(server.path), 1, words);
  expect(askOnce(server.path)).toBe(0);
});

test("names the socket unit that listens at the path", async () => {
  using directory = tempDir();
  const path = directory.join("s");
  await using unit = await socketUnit(directory, path);
  expect((await tryServing(path)).stderr).toBe(
    `xsocket: cannot serve ${path}: process ${unit.pid} (systemd, for a socket unit) listens there, and starts its server when somebody asks. Stop that unit (systemctl --user list-sockets), or choose another path\n`,
  );
});

test("refuses the path of the control socket for the metrics", async () => {
  using directory = tempDir();
  const path = directory.join("s");
  const says = `xsocket: cannot serve ${path}: this process itself listens there. Choose another path\n`;
  expectSentence(await tryServing(path, "--metrics", path), 1, says);
});

test.skipIf(isChrooted)("serves on a kernel without network namespaces", async () => {
  const script = `mount -t tmpfs none /proc/$$/ns && exec "$0" "$@"`;
  await using _ = await startServer({ before: [...OWN_MOUNTS, "sh", "-c", script] });
});

test("leaves a file that is not a socket", async () => {
  using directory = tempDir();
  const file = directory.join("file");
  writeFileSync(file, "precious");
  symlinkSync(directory.join("nowhere"), directory.join("link"));
  mkdirSync(directory.join("directory"));
  for (const name of ["file", "link", "directory"]) {
    const words = "is not a socket: it is left alone, so choose another path";
    expectSentence(await tryServing(directory.join(name)), 1, words);
  }
  expect(readFileSync(file, "utf8")).toBe("precious");
  expect(lstatSync(directory.join("link")).isSymbolicLink()).toBe(true);
});

test("leaves a listening socket of another type", async () => {
  using directory = tempDir();
  const path = directory.join("s");
  using stranger = Bun.listen({ unix: path, socket: { data() {} } });
  expectSentence(await tryServing(path), 1, "another process listens there");
  expect(lstatSync(path).isSocket()).toBe(true);
  stranger.stop(true);
});

test("leaves a file that replaced its socket before it was ready", async () => {
  using directory = tempDir();
  const path = directory.join("control");
  const strace = ["strace", "-D", "-f", "-o/dev/null", "-einject=listen:delay_exit=1000000"];
  await using server = here.spawn([...strace, XSOCKET, "serve", path]);
  await eventually("a server", () => here.listensAt(path));
  renameSync(path, directory.join("moved"));
  writeFileSync(path, "somebody else's");
  await server.says(/serving at/);
  server.kill("SIGTERM");
  expect(await server.finished()).toBe(0);
  expect(readFileSync(path, "utf8")).toBe("somebody else's");
});

test.each([
  ["a file in place of the directory", [], "p/s", "/p is not a directory: choose another path"],
  ["a low limit of address space", ["prlimit", "--as=500000000"], "s", "LimitAS="],
  [
    "no /dev/null",
    [...OWN_MOUNTS, "sh", "-c", `mount -t tmpfs none /dev; exec "$0" "$@"`],
    "s",
    "cannot read /dev/null",
  ],
])("reports %s in one sentence", async (_, before, name, words) => {
  using directory = tempDir();
  writeFileSync(directory.join("p"), "");
  const argv = [...before, XSOCKET, "serve", directory.join(name)];
  expectSentence(await here.run(argv), 1, words);
});

test("warns once that it gets no timer", async () => {
  await using server = await startServer({ before: ["prlimit", "--sigpending=0"] });
  await server.program.says(/warning: .* gets no timer \(EAGAIN\).* LimitSIGPENDING=/);
  expect(askOnce(server.path)).toBe(0);
  expect(await server.stop()).toBe(0);
  expect(server.program.stderr.match(/gets no timer/g)).toHaveLength(1);
});
