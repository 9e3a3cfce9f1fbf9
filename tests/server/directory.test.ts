/* The directory of the control socket, with whole processes. */
import { expect, test } from "bun:test";
import { chmodSync, chownSync, lstatSync, mkdirSync, rmSync, statSync, symlinkSync } from "node:fs";
import {
  activated,
  eventually,
  expectSentence,
  here,
  isAlone,
  isRoot,
  OWN_MOUNTS,
  refusing,
  startServer,
  tempDir,
  tryServing,
  XSOCKET,
} from "../harness/index.ts";
import { askOnce } from "./raw.ts";

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

test("reports a missing directory in one sentence", async () => {
  using directory = tempDir();
  const missing = directory.join("a b/c");
  const says = [`the directory ${missing} of`, `make it first (mkdir -p '${missing}')`];
  expectSentence(await tryServing(`${missing}/s`), 1, ...says);
});

test('resolves ".." after a link as the kernel does', async () => {
  using directory = tempDir();
  mkdirSync(directory.join("there/below"), { recursive: true });
  symlinkSync("there/below", directory.join("link"));
  await using _ = await startServer({ path: `${directory.join("link")}/../s` });
  expect(askOnce(directory.join("there/s"))).toBe(0);
});

test("refuses a directory that others may write to, a sticky one without the option", async () => {
  using directory = tempDir();
  const path = directory.join("s");
  chmodSync(directory.path, 0o777);
  const open = await tryServing(path, "--shared-directory");
  const sticky = `or make this one sticky (chmod +t ${directory.path})`;
  expectSentence(open, 1, "other users may write to", sticky);
  const remedy = `or remove that permission (chmod go-w ${directory.path})`;
  expectSentence(await tryServing(path), 1, remedy);
  chmodSync(directory.path, 0o1777);
  expectSentence(await tryServing(path), 1, "--shared-directory");
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
    const before = ["setpriv", "--regid=4300", "--clear-groups"];
    await using _ = await startServer({ path, before });
  },
);

test.skipIf(isAlone)("warns who else can replace the socket, by owner or ACL", async () => {
  using directory = tempDir();
  const path = directory.join("s");
  const warned = async (...args: string[]) => {
    await using server = here.spawn([XSOCKET, "serve", path, ...args]);
    await eventually("the server", () => here.listensAt(path));
    server.kill();
    expect(await server.finished()).toBe(0);
    if (args.length > 0) expect(server.stderr).toBe("");
    return /warning: (.*) can replace the socket in /.exec(server.stderr)?.[1];
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

test.skipIf(isAlone)("warns who else can replace a socket that was passed at start", async () => {
  using directory = tempDir();
  await here.run(["setfacl", "-m", "u:4201:rwx", directory.path]);
  await using server = here.spawn(activated(directory.join("s"), [XSOCKET, "serve"]));
  await server.says(/serving at/);
  expect(server.stderr).toStartWith(
    `xsocket: warning: uid 4201 can replace the socket in ${directory.path},`,
  );
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
  expectSentence(await tryServing(directory.join("s")), 1, "has held the lock");
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
  expectSentence(refused, 1, `xsocket: cannot lock ${directory.path}${found}\n`);
});
