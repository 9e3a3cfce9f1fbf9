/* Starting and stopping, and files at the path of the socket, with whole processes. */
import { expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { RESPONSE_BYTES } from "@xsocket/protocol";
import {
  eventually,
  guardDescriptors,
  here,
  isChrooted,
  isRoot,
  OWN_MOUNTS,
  refusing,
  socketUnit,
  startServer,
  tempDir,
  XSOCKET,
} from "../harness/index.ts";
import { askOnce, native, RawClient, rawClients, untilFree } from "./raw.ts";

guardDescriptors();

/** Runs a server that is expected to end by itself. */
function tryServing(...args: string[]) {
  return here.run([XSOCKET, "serve", ...args]);
}

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

test("signals during the stop change nothing", async () => {
  // slows down the removal of the second file, that of the metrics
  const slow = "-einject=?unlink,?unlinkat:delay_enter=200000:when=2";
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    using directory = tempDir();
    const [path, metrics] = [directory.join("control"), directory.join("metrics")];
    const argv = [XSOCKET, "serve", path, "--metrics", metrics];
    await using server = here.spawn(["strace", "-D", "-f", "-o/dev/null", slow, ...argv]);
    await server.says(/serving at/);
    server.kill("SIGTERM");
    while (!server.hasEnded) {
      server.kill(signal);
      await new Promise(setImmediate);
    }
    expect([signal, await server.finished()]).toEqual([signal, 0]);
    expect([existsSync(path), existsSync(metrics)]).toEqual([false, false]);
  }
});

test("a signal after a failed start does not hide the reason", async () => {
  using directory = tempDir();
  const path = directory.join("control");
  const slow = "-einject=?unlink,?unlinkat:delay_enter=200000"; // leaves time for the signal
  const argv = [XSOCKET, "serve", path, "--metrics", directory.join("none/metrics")];
  await using server = here.spawn(["strace", "-D", "-f", "-o/dev/null", slow, ...argv]);
  await eventually("the file", () => existsSync(path));
  while (!server.hasEnded) {
    server.kill("SIGTERM");
    await new Promise(setImmediate);
  }
  const code = await server.finished();
  expect(server.stderr).toContain("none/metrics does not exist");
  expect(code).toBe(1);
  expect(existsSync(path)).toBe(false);
});

test("handles signals before it waits for events", async () => {
  using directory = tempDir();
  const trace = directory.join("trace");
  const calls = "trace=?epoll_wait,?epoll_pwait,?epoll_pwait2,rt_sigaction";
  const argv = ["strace", "-D", "-f", "-o", trace, "-e", calls, XSOCKET, "serve"];
  await using server = here.spawn([...argv, directory.join("control")]);
  await server.says(/serving at/);
  server.kill("SIGTERM");
  expect(await server.finished()).toBe(0);
  const traced = () => readFileSync(trace, "utf8");
  await eventually("all of the trace", () => traced().includes(`${server.pid} +++ exited`));
  const [before = "", ...after] = traced().split(/SIGTERM, \{sa_handler=0x/);
  expect(before).not.toContain("epoll");
  expect(after.join("")).toContain("epoll");
});

test("stops at once with the largest backlog", async () => {
  await using server = await startServer({ args: ["--backlog", "2147483647"] });
  await server.program.says(/serving at/);
  const start = performance.now();
  expect(await server.stop()).toBe(0);
  expect(performance.now() - start).toBeLessThan(3000); // a thread that does not stop is ended after this time
});

test("answers requests that arrived before the stop", async () => {
  await using server = await startServer();
  using client = new RawClient(server.path);
  expect(client.ask()).toBe(0);
  await server.program.pause();
  client.send();
  using late = new RawClient(server.path); // in the backlog
  late.send();
  server.program.kill("SIGTERM");
  server.program.kill("SIGCONT");
  expect(client.reply()).toBe(0);
  expect(late.reply()).toBe(0);
  expect(await server.program.finished()).toBe(0);
});

test("answers a client that connected before the stop and asks after", async () => {
  await using server = await startServer();
  using client = new RawClient(server.path);
  expect(askOnce(server.path)).toBe(0); // so the client above has been accepted
  server.program.kill("SIGTERM");
  await eventually("it to have begun to stop", () => !existsSync(server.path));
  await Bun.sleep(20);
  expect(client.ask()).toBe(0);
  expect(await server.program.finished()).toBe(0);
});

test("frees its abstract name when it begins to stop", async () => {
  await using server = await startServer({ path: `@xsocket-test-${process.pid}` });
  using client = new RawClient(server.path);
  expect(askOnce(server.path)).toBe(0);
  server.program.kill("SIGTERM");
  await untilFree(server.path);
  expect(client.ask()).toBe(0);
  expect(await server.program.finished()).toBe(0);
});

test("answers pipelined requests when it stops, as fast as the client receives", async () => {
  await using server = await startServer();
  using clients = rawClients(server.path, 8);
  await server.program.pause();
  for (const client of clients) for (let i = 0; i < 3; i++) client.send();
  server.program.kill("SIGTERM");
  server.program.kill("SIGCONT");
  await Bun.sleep(50); // time for the signal
  const replies = clients.map((client) => [client.reply(), client.reply(), client.reply()]);
  expect(replies).toEqual(clients.map(() => [0, 0, 0]));
  expect(await server.program.finished()).toBe(0);
});

test("leaves a sent reply to be received after it has stopped", async () => {
  await using server = await startServer();
  using client = new RawClient(server.path);
  for (let i = 0; i < 3; i++) client.send();
  expect(client.isReadable(5000)).toBe(true);
  expect(await server.stop()).toBe(0);
  const reply = new Uint8Array(new ArrayBuffer(RESPONSE_BYTES));
  expect(native.receivePacket(client.fd, reply, RESPONSE_BYTES)).toBe(RESPONSE_BYTES);
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

test("leaves a stale socket that is a mount point and gives a remedy", async () => {
  using directory = tempDir();
  const path = directory.join("s");
  {
    await using server = await startServer({ path });
    server.program.kill("SIGKILL");
    await server.program.finished();
  }
  const script = 'mount --bind "$1" "$1"; exec "$2" serve "$1"';
  const { code, stderr } = await here.run([...OWN_MOUNTS, "sh", "-c", script, "sh", path, XSOCKET]);
  expect(stderr).toBe(
    `xsocket: cannot replace the socket of a dead server at ${path}: EBUSY. It is mounted there by itself: mount its directory instead\n`,
  );
  expect(code).toBe(1);
});

test("refuses a path in use and names the process", async () => {
  await using server = await startServer();
  const { code, stderr } = await tryServing(server.path);
  expect(stderr).toContain(`process ${server.program.pid} listens there`);
  expect(code).toBe(1);
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

test("refuses an abstract name in use and names the process", async () => {
  await using server = await startServer({ path: `@xsocket-test-${process.pid}` });
  const { code, stderr } = await tryServing(server.path);
  expect(stderr).toContain(`process ${server.program.pid} listens there`);
  expect(code).toBe(1);
});

test("refuses the path of the control socket for the metrics", async () => {
  using directory = tempDir();
  const path = directory.join("s");
  const { code, stderr } = await tryServing(path, "--metrics", path);
  expect(stderr).toBe(
    `xsocket: cannot serve ${path}: this process itself listens there. Choose another path\n`,
  );
  expect(code).toBe(1);
});

test("reports a directory that is a dangling or looping link", async () => {
  using directory = tempDir();
  const link = directory.join("link");
  symlinkSync("nothing", link);
  for (const path of [`${link}/s`, `${link}/below/s`])
    expect((await tryServing(path)).stderr).toContain(`${link} is a link to nothing: make what`);
  rmSync(link);
  symlinkSync("link", link);
  expect((await tryServing(`${link}/s`)).stderr).toContain("ELOOP. The symbolic links in the path");
});

test.skipIf(isChrooted)("serves on a kernel without network namespaces", async () => {
  using directory = tempDir();
  const script = `mount -t tmpfs none /proc/$$/ns && exec "$0" "$@"`;
  const argv = [...OWN_MOUNTS, "sh", "-c", script, XSOCKET, "serve", directory.join("s")];
  await using server = here.spawn(argv);
  await server.says(/serving at/);
});

test("leaves a file that is not a socket", async () => {
  using directory = tempDir();
  const file = directory.join("file");
  writeFileSync(file, "precious");
  symlinkSync(directory.join("nowhere"), directory.join("link"));
  mkdirSync(directory.join("directory"));
  for (const name of ["file", "link", "directory"]) {
    const { code, stderr } = await tryServing(directory.join(name));
    expect(stderr).toContain("is not a socket: it is left alone, so choose another path");
    expect(code).toBe(1);
  }
  expect(readFileSync(file, "utf8")).toBe("precious");
  expect(lstatSync(directory.join("link")).isSymbolicLink()).toBe(true);
});

test("leaves a listening socket of another type", async () => {
  using directory = tempDir();
  const path = directory.join("s");
  using stranger = Bun.listen({ unix: path, socket: { data() {} } });
  const { code, stderr } = await tryServing(path);
  expect(stderr).toContain("another process listens there");
  expect(code).toBe(1);
  expect(lstatSync(path).isSocket()).toBe(true);
  stranger.stop(true);
});

test("removes only its own socket file at the end", async () => {
  await using server = await startServer();
  const moved = `${server.path}.moved`;
  renameSync(server.path, moved);
  writeFileSync(server.path, "somebody else's");
  expect(await server.stop()).toBe(0);
  expect(readFileSync(server.path, "utf8")).toBe("somebody else's");
  expect(existsSync(moved)).toBe(true);
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

test("reports a missing directory in one sentence", async () => {
  using directory = tempDir();
  const { code, stderr } = await tryServing(directory.join("a b/c/s"));
  expect(stderr).toContain(`the directory ${directory.join("a b/c")} of`);
  expect(stderr).toContain(`make it first (mkdir -p '${directory.join("a b/c")}')`);
  expect(code).toBe(1);
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
  const { code, stderr } = await here.run(argv);
  expect(stderr).toContain(words);
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  expect(code).toBe(1);
});

test('resolves ".." after a link as the kernel does', async () => {
  using directory = tempDir();
  mkdirSync(directory.join("there/below"), { recursive: true });
  symlinkSync("there/below", directory.join("link"));
  await using server = here.spawn([XSOCKET, "serve", `${directory.join("link")}/../s`]);
  await server.says(/serving at/);
  expect(askOnce(directory.join("there/s"))).toBe(0);
  server.kill("SIGTERM");
  expect(await server.finished()).toBe(0);
});

test("refuses a directory that others may write to, a sticky one without the option", async () => {
  using directory = tempDir();
  const path = directory.join("s");
  chmodSync(directory.path, 0o777);
  const open = await tryServing(path, "--shared-directory");
  expect(open.stderr).toContain("other users may write to");
  expect(open.stderr).not.toContain("--shared-directory"); // the option does not help there
  expect(open.code).toBe(1);
  chmodSync(directory.path, 0o1777);
  const sticky = await tryServing(path);
  expect(sticky.stderr).toContain("--shared-directory");
  expect(sticky.code).toBe(1);
  await using server = await startServer({ path, args: ["--shared-directory"] });
  expect(askOnce(server.path)).toBe(0);
});

test.skipIf(!isRoot)(
  "accepts a group-writable directory only if the group is the server's own",
  async () => {
    using directory = tempDir();
    const path = directory.join("s");
    chownSync(directory.path, 0, 4300);
    chmodSync(directory.path, 0o775);
    expect((await tryServing(path)).stderr).toContain("other users may write to");
    const argv = ["setpriv", "--regid=4300", "--clear-groups", XSOCKET, "serve", path];
    await using server = here.spawn(argv);
    await server.says(/serving at/);
  },
);

test("warns once that it gets no timer", async () => {
  using directory = tempDir();
  const argv = ["prlimit", "--sigpending=0", XSOCKET, "serve", directory.join("s")];
  await using server = here.spawn(argv);
  await server.says(/serving at/);
  const timer = /warning: .* gets no timer \(EAGAIN\).* LimitSIGPENDING=/;
  await eventually("a warning", () => timer.test(server.stderr));
  expect(askOnce(directory.join("s"))).toBe(0);
  server.kill("SIGTERM");
  expect(await server.finished()).toBe(0);
  expect(server.stderr.match(/gets no timer/g)).toHaveLength(1);
});

test("warns who else can replace the socket, by owner or ACL", async () => {
  using directory = tempDir();
  const path = directory.join("s");
  const warned = async (...args: string[]) => {
    await using server = await startServer({ path, args });
    await server.stop();
    if (args.length > 0) expect(server.program.stderr).toBe("");
    return /warning: (.*) can replace the socket in /.exec(server.program.stderr)?.[1];
  };
  expect(await warned()).toBeUndefined();
  await here.run(["setfacl", "-m", "u:4201:x,u:0:rwx", directory.path]);
  expect(await warned()).toBeUndefined();
  await here.run(["setfacl", "-m", "u:4201:rwx,g:4300:rwx", directory.path]);
  expect(await warned()).toBe("uid 4201, gid 4300");
  expect(await warned("--log-level", "error")).toBeUndefined();
  await here.run(["setfacl", "-m", "m::rx", directory.path]);
  expect(await warned()).toBeUndefined();
  if (!isRoot) return;
  chownSync(directory.path, 4202, 4202);
  expect(await warned()).toBe("uid 4202");
});

test("makes the directory of the default path with mode 0711 and keeps it on the next start", async () => {
  // with its own /run in a mount namespace
  const script = `mount -t tmpfs none /run && umask 077 || exit
    "$@" & until [ -S /run/xsocket/default ]; do sleep 0.1; done; kill $! && wait $! && exec "$@"`;
  const argv = [...OWN_MOUNTS, "sh", "-c", script, "sh", XSOCKET, "serve"];
  await using program = here.spawn(argv);
  await program.says(/serving at.*serving at/s);
  const run = `/proc/${program.pid}/root/run/xsocket`;
  expect(statSync(run).mode & 0o7777).toBe(0o711); // others can connect but not lock the directory
  expect(lstatSync(`${run}/default`).mode & 0o7777).toBe(0o660);
});

test("reports a lock on the directory that is held for long", async () => {
  using directory = tempDir();
  await using holder = here.spawn(["flock", directory.path, "sh", "-c", "echo held; sleep 60"]);
  await holder.says(/held/);
  const { code, stderr } = await tryServing(directory.join("s"));
  expect(stderr).toContain("has held the lock");
  expect(code).toBe(1);
});

test.each([
  ["as one of NFS", "EBADF", ": EBADF. Use a directory of a local file system"],
  [
    "by a filter",
    "EPERM",
    ` as uid ${process.geteuid?.()}: EPERM. Let the seccomp filter allow flock`,
  ],
])("refuses a directory that cannot be locked, %s", async (_, code, found) => {
  using directory = tempDir();
  const exclusive = 6; // without waiting
  const start = [...refusing("flock", 1, exclusive, code), XSOCKET, "serve"];
  const refused = await here.run([...start, directory.join("s")]);
  expect(refused.stderr).toBe(`xsocket: cannot lock ${directory.path}${found}\n`);
  expect(refused.code).toBe(1);
});

test("stops cleanly when the directory was removed or replaced", async () => {
  const changes: Record<string, (path: string) => void> = {
    "a file": (path) => writeFileSync(path, ""),
    "a loop": (path) => symlinkSync(path, path),
    nothing: () => {},
  };
  for (const [what, change] of Object.entries(changes)) {
    using directory = tempDir();
    const home = directory.join("home");
    mkdirSync(home);
    await using server = await startServer({ path: join(home, "control") });
    await server.program.says(/serving at/);
    renameSync(home, directory.join("moved"));
    change(home);
    expect([what, await server.stop()]).toEqual([what, 0]);
    expect(server.program.stderr).not.toContain("releasePath"); // no stack trace
    if (what !== "nothing") expect(server.program.stderr).toContain("could not be removed");
    rmSync(home, { force: true });
  }
});

test("closes every connection when it stops", async () => {
  await using server = await startServer();
  using client = new RawClient(server.path);
  expect(client.ask()).toBe(0);
  expect(await server.stop()).toBe(0);
  expect(client.isClosed(1000)).toBe(true);
});
