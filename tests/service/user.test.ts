/* --user: the server becomes another user. */
import { describe, expect, test as testAnywhere } from "bun:test";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
} from "node:fs";
import { dirname } from "node:path";
import { libraryPath } from "@xsocket/xbind-native";
import {
  activated,
  asOrdinaryUser,
  createNamespace,
  eventually,
  HELD_TO_MODES,
  here,
  isRoot,
  OWN_MOUNTS,
  refusing,
  startServer,
  tempDir,
  type TempDir,
  XSOCKET,
  xsocketForEveryone,
  expectSentence,
} from "../harness/index.ts";
import { inStatus } from "../server/process.ts";
import { crowd } from "../server/raw.ts";
import { ALICE, stealing } from "./two-users.ts";

const CHOWN_ALONE = "0000000000000001";

/* Runs a program that cannot raise ambient capabilities (SECBIT_NO_CAP_AMBIENT_RAISE). */
const NO_AMBIENT = `
import ctypes, os, sys
assert ctypes.CDLL(None).prctl(28, 64, 0, 0, 0) == 0
os.execvp(sys.argv[1], sys.argv[1:])`;

const AS_DAEMON = ["--user", "daemon"];

/** The command that serves as that user, from a place that every user may read. */
function servingAsDaemon(dir: TempDir, ...words: readonly string[]): string[] {
  return xsocketForEveryone(dir, ["serve", ...words, ...AS_DAEMON]);
}

/** Expects a start at the path "control" to fail with these words, and to leave no socket file. */
async function expectNoStart(
  dir: TempDir,
  words: string | RegExp,
  argv: readonly string[] = servingAsDaemon(dir, dir.join("control")),
  env = {},
): Promise<void> {
  expectSentence(await here.run(argv, { env }), 1, words);
  expect(existsSync(dir.join("control"))).toBe(false);
}

const test = testAnywhere.if(isRoot);

describe("as root", () => {
  test("--user leaves only CAP_CHOWN in every thread, and sockets are still stamped", async () => {
    await using target = await createNamespace();
    const args = [...AS_DAEMON, "--mode", "0666", "--threads", "2"];
    await using server = await startServer({ forEveryone: true, place: target, args });
    const { pid } = server.program;
    await crowd(server.path, pid, 2);
    const status = inStatus(pid, /^(?:Uid|Gid|Groups|Cap|NoNewPrivs).*/gm);
    expect([...new Set(status)].toSorted()).toEqual([
      ...["Amb", "Bnd", "Eff", "Inh", "Prm"].map((set) => `Cap${set}:\t${CHOWN_ALONE}`),
      "Gid:\t1\t1\t1\t1",
      "Groups:\t1 ",
      "NoNewPrivs:\t1",
      "Uid:\t1\t1\t1\t1",
    ]);
    expect(readdirSync(`/proc/${pid}/task`).length).toBeGreaterThan(3);
    expect(await stealing(target, server.path)).toEqual(["bound", "EADDRINUSE"]);
  });

  test.each([
    ["this user listens at a path", "control", 1],
    ["this user listens at a path that it may not reach", "closed/control", 1],
    ["root listens at an abstract name, whose clients trust root alone", "@xsocket-listens-", 0],
  ])("with --user the kernel says that %s", async (_, name, uid) => {
    using dir = tempDir();
    mkdirSync(dir.join("closed"), { mode: 0o700 });
    const path = name.startsWith("@") ? name + process.pid : dir.join(name);
    await using server = await startServer({ forEveryone: true, path, args: AS_DAEMON });
    const { stdout } = await here.run([XSOCKET, "doctor", path]);
    expect(stdout).toContain(`process ${server.program.pid} of uid ${uid} listens\n`);
  });

  test.each([
    ["of root's group", [], 0],
    ["of another group", ["--group", "4300"], 4300],
  ])(
    "--user lets that user open the socket %s, and ask for the status",
    async (_name, group, gid) => {
      const args = [...AS_DAEMON, ...group];
      await using server = await startServer({ forEveryone: true, args });
      const file = statSync(server.path);
      expect([file.uid, file.gid, file.mode & 0o777]).toEqual([1, gid, 0o660]);
      const told = [1, ALICE].map(async (uid) => {
        using dir = tempDir();
        const words = ["status", server.path];
        const status = xsocketForEveryone(dir, words, asOrdinaryUser([], uid));
        return (await here.run(status)).stderr;
      });
      expect(await Promise.all(told)).toEqual(["", expect.stringContaining("EACCES")]);
    },
  );

  test("--user can start again where root is held to modes, in place of a server that was killed", async () => {
    using dir = tempDir();
    const args = [...AS_DAEMON, "--group", "4300"];
    const options = { forEveryone: true, path: dir.join("control"), before: HELD_TO_MODES, args };
    for (const time of ["first", "second"]) {
      await using server = await startServer(options);
      expect(server.program.stderr, time).toBe(`xsocket: serving at ${server.path}\n`);
      server.program.kill("SIGKILL");
      await server.program.finished();
    }
  });

  test("--user removes the socket file from a sticky directory", async () => {
    using dir = tempDir();
    mkdirSync(dir.join("shared"));
    chmodSync(dir.join("shared"), 0o1777);
    const path = dir.join("shared/control");
    const args = [...AS_DAEMON, "--shared-directory"];
    await using server = await startServer({ forEveryone: true, path, args });
    expect(await server.stop()).toBe(0);
    expect(existsSync(path)).toBe(false);
  });

  test("--user resolves relative paths in the current directory", async () => {
    using dir = tempDir();
    await Bun.write(dir.join("policy.toml"), '[[rule]]\naction = "allow"\nuid = 4201\n');
    const words = "serve control --user daemon --mode 0666 --group 4300 --policy policy.toml";
    const argv = xsocketForEveryone(dir, words.split(" "));
    await using target = await createNamespace();
    await using program = target.spawn(argv);
    await program.says(/serving at (\S+)/);
    const flags = "\0--no-env-file\0--config=/dev/null\0--no-install\0"; // so that no file of another user is run
    expect(readFileSync(`/proc/${program.pid}/cmdline`, "utf8")).toContain(flags);
    expect(statSync(dir.join("control")).gid).toBe(4300);
    expect(await stealing(target, dir.join("control"))).toEqual(["bound", "EPERM"]);
    await program.says(/refused AF_INET SOCK_STREAM IPPROTO_TCP \(no rule\)/);
    await program.says(/pid=\d+ uid=4202 gid=4202 command=/);
  });

  test("--user works in a current directory that is searchable but not readable", async () => {
    using dir = tempDir();
    mkdirSync(dir.join("alice"), { mode: 0o711 });
    chownSync(dir.join("alice"), ALICE, ALICE);
    const caps = "-dac_override,-dac_read_search"; // root has no more rights there than others
    const held = ["setpriv", `--bounding-set=${caps}`, `--inh-caps=${caps}`];
    const before = [...held, "env", "-C", dir.join("alice")];
    await using _ = await startServer({ forEveryone: true, before, args: AS_DAEMON });
  });

  test("--user works in a current directory that is hidden by a mount", async () => {
    using dir = tempDir();
    const script = 'mkdir -p m/in && cd m/in && mount -t tmpfs none ../../m && exec "$0" "$@"';
    const words = ["serve", dir.join("control"), ...AS_DAEMON];
    await using program = here.spawn(xsocketForEveryone(dir, words, ["sh", "-c", script]));
    await program.says(/serving at/);
  });

  test("--user reports a policy that the user may not read", async () => {
    using dir = tempDir();
    mkdirSync(dir.join("closed"), { mode: 0o700 });
    const policy = dir.join("closed/policy.toml");
    await Bun.write(policy, '[[rule]]\naction = "allow"\n');
    const argv = servingAsDaemon(dir, dir.join("control"), "--policy", policy);
    const words = `xsocket: ${policy}: cannot be read (EACCES). Let uid 1 read it and enter its directories, or give another path\n`;
    expectSentence(await here.run(argv), 1, words);
  });

  test.each([
    ["while it is root", ["setpriv", "--bounding-set", "-setgid"]],
    ["when it is that user", ["python3", "-c", NO_AMBIENT]],
  ])("leaves no socket file when it cannot become the user (refused %s)", async (_, before) => {
    using dir = tempDir();
    const argv = servingAsDaemon(dir, dir.join("control"));
    await expectNoStart(dir, /^xsocket: cannot become uid 1 .*: EPERM\. Leave /, [
      ...before,
      ...argv,
    ]);
  });

  test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)(
    "--user removes the socket file on %s just after its creation",
    async (signal) => {
      using dir = tempDir();
      chownSync(dir.path, 1, 1);
      const path = dir.join("control");
      const script = dir.join("repository/build/tree/main.js"); // the bundle, as installed
      const words = ["--script", script, "xsocket", "", "serve", path, "--user", "daemon"];
      const argv = xsocketForEveryone(dir, words);
      await using program = here.spawn(argv);
      await eventually("the file", () => existsSync(path));
      program.kill(signal);
      if (signal === "SIGHUP") program.kill("SIGTERM"); // one reloads, the other ends
      expect(await program.finished()).toBe(0);
      expect(existsSync(path)).toBe(false);
    },
  );

  test("gives the directory of the default path back to root when the start fails", async () => {
    using dir = tempDir();
    const script = `mount -t tmpfs none /run; "$0" "$@"; stat -c %u /run/xsocket`;
    const before = ["setpriv", "--bounding-set", "-setgid", "unshare", "-m", "sh", "-c", script];
    expect((await here.run([...before, ...servingAsDaemon(dir)])).stdout).toBe("0\n");
  });

  test.each([
    ["that of the default path, where something else is in it", undefined],
    ["that of another path", "alone/control"],
  ])("--user leaves the directory to root: %s", async (_, path) => {
    using dir = tempDir();
    mkdirSync(dir.join("alone"));
    const script = `mount -t tmpfs none /run; mkdir -m 711 /run/xsocket; touch /run/xsocket/other; exec "$0" "$@"`;
    const argv = servingAsDaemon(dir, ...(path === undefined ? [] : [dir.join(path)]));
    await using program = here.spawn([...OWN_MOUNTS, "sh", "-c", script, ...argv]);
    const [, address = ""] = await program.says(/serving at (\S+)/);
    expect(statSync(dirname(`/proc/${program.pid}/root${address}`)).uid).toBe(0);
  });

  test("--user takes over the default path's directory from a former user without warning", async () => {
    using dir = tempDir();
    const script = `mount -t tmpfs none /run; mkdir -m 711 /run/xsocket; chown 2 /run/xsocket; exec "$0" "$@"`;
    const argv = servingAsDaemon(dir);
    await using program = here.spawn([...OWN_MOUNTS, "sh", "-c", script, ...argv]);
    await program.says(/serving at/);
    expect(program.stderr).toBe("xsocket: serving at /run/xsocket/default\n");
    expect(statSync(`/proc/${program.pid}/root/run/xsocket`).uid).toBe(1);
  });

  test("--user warns once that the directory's owner can replace the socket", async () => {
    using dir = tempDir();
    mkdirSync(dir.join("theirs"));
    chownSync(dir.join("theirs"), 2, 2);
    const path = dir.join("theirs/s");
    await using server = await startServer({ forEveryone: true, path, args: AS_DAEMON });
    expect(server.program.stderr.match(/warning: .*/g)).toEqual([
      expect.stringContaining("uid 2 can replace the socket"),
    ]);
  });

  test("--user serves only the socket from the manager and leaves its file", async () => {
    using dir = tempDir(0o777);
    const made = dir.join("made");
    const argv = servingAsDaemon(dir, dir.join("other"));
    await using program = here.spawn(activated(made, argv));
    expect((await program.says(/serving at (\S+)/))[1]).toBe(made);
    expect(existsSync(dir.join("other"))).toBe(false);
    program.kill("SIGTERM");
    expect(await program.finished()).toBe(0);
    expect(existsSync(made)).toBe(true);
  });

  test("starts although the default path's directory cannot be given to the user", async () => {
    using dir = tempDir();
    const script = `mount -t tmpfs none /run; exec "$0" "$@"`;
    const before = ["setpriv", "--bounding-set", "-chown", "unshare", "-m", "sh", "-c", script];
    await using program = here.spawn([...before, ...servingAsDaemon(dir)]);
    await program.says(/^xsocket: serving at \/run\/xsocket\/default$/m);
  });

  test("--user without root fails and leaves no socket file", async () => {
    using dir = tempDir();
    const words = ["serve", dir.join("control"), ...AS_DAEMON];
    const argv = xsocketForEveryone(dir, words, asOrdinaryUser([]));
    await expectNoStart(dir, "xsocket: only root can become another user", argv);
  });

  test("--user with a NOTIFY_SOCKET that nobody has fails and leaves no socket file", async () => {
    using dir = tempDir();
    const words = "xsocket: cannot reach the service manager at NOTIFY_SOCKET=";
    await expectNoStart(dir, words, undefined, { NOTIFY_SOCKET: dir.join("none") });
  });

  test("--user fails when that user may not run the command, and leaves no socket file", async () => {
    using dir = tempDir(0o700);
    const barred = `, since ${dir.path} is closed to that user: install xsocket where `;
    await expectNoStart(dir, new RegExp(`^xsocket: uid 1 cannot read \\S+/bun${barred}`));
  });

  test("--user fails when that user may not read the library, and leaves no socket file", async () => {
    using dir = tempDir();
    const library = dir.join("closed/libxsocket.so");
    mkdirSync(dirname(library), { mode: 0o700 });
    copyFileSync(libraryPath("xsocket"), library);
    const env = { XSOCKET_LIBDIR: dirname(library) };
    const words = `xsocket: uid 1 cannot read ${library}, since ${dirname(library)} is closed to that user: `;
    await expectNoStart(dir, words, undefined, env);
  });

  test("--user fails when that user may not read /dev/null, and leaves no socket file", async () => {
    using dir = tempDir();
    const script =
      'mkdir d && mount -t tmpfs -o mode=700 none d && touch d/null && mount --bind /dev/null d/null && mount --rbind d /dev && exec "$0" "$@"';
    const argv = servingAsDaemon(dir, dir.join("control"));
    await expectNoStart(
      dir,
      "xsocket: uid 1 cannot read /dev/null, since /dev is closed to that user: ",
      [...OWN_MOUNTS, "env", "-C", dir.path, "sh", "-c", script, ...argv],
    );
  });

  test("--user fails where a filter hides close_range(2), and leaves no socket file", async () => {
    using dir = tempDir();
    const argv = [
      ...refusing("close_range", 2, 2, "ENOSYS"),
      ...servingAsDaemon(dir, dir.join("control")),
    ];
    await expectNoStart(dir, /^xsocket: cannot become uid 1: ENOSYS\. Let .* close_range, /, argv);
  });

  test("--user fails when that user has as many processes as it may, and leaves no socket file", async () => {
    using dir = tempDir();
    await using _ = here.spawn(asOrdinaryUser(["sh", "-c", "sleep 60 & sleep 60"], 1));
    const argv = servingAsDaemon(dir, dir.join("control"));
    const words = "xsocket: cannot become uid 1: EAGAIN. Raise the limit of that user's processes ";
    await expectNoStart(dir, words, ["prlimit", "--nproc=1", ...argv]);
  });

  test.each([
    ["4000000000", "--uid 4000000000 NAME"],
    ["no;such", "'no;such'"],
  ])("reports a user that does not exist: %s", async (user, remedy) => {
    using dir = tempDir();
    const argv = xsocketForEveryone(dir, ["serve", dir.join("control"), "--user", user]);
    const words = `xsocket: there is no user "${user}" in /etc/passwd: make it first (useradd --system ${remedy})\n`;
    await expectNoStart(dir, words, argv);
  });
});
