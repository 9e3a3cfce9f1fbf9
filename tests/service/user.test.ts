import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
} from "node:fs";
import { dirname, join } from "node:path";
import {
  activated,
  createNamespace,
  eventually,
  guardDescriptors,
  here,
  isChrooted,
  isRoot,
  ORDINARY_ENV,
  type Place,
  strangerAt,
  tempDir,
  type TempDir,
  XSOCKET,
  xsocketForEveryone,
} from "../harness/index.ts";
import { servingThreads } from "../server/process.ts";
import { askOnce, crowd, crowdUntil, RawClient, untilFree } from "../server/raw.ts";

guardDescriptors();

const BIND = join(import.meta.dir, "bind.py");
const ALICE = 4201;
const BOB = 4202;
const CHOWN_ALONE = "0000000000000001";
const PORT = 3000;
/* Sends one request and prints the error of the reply and the number of its descriptors. */
const TAKE = `
import socket, struct, sys
control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
control.connect(sys.argv[1])
control.send(struct.pack("!Iiii", 0x58533031, 2, int(sys.argv[2]), int(sys.argv[3])))
reply, fds, _, _ = socket.recv_fds(control, 16, 4)
print(struct.unpack("!II", reply)[1], len(fds))`;

/* Runs a program that cannot raise ambient capabilities (SECBIT_NO_CAP_AMBIENT_RAISE). */
const NO_AMBIENT = `
import ctypes, os, sys
assert ctypes.CDLL(None).prctl(28, 64, 0, 0, 0) == 0
os.execvp(sys.argv[1], sys.argv[1:])`;

/* Runs a program in a user namespace with these lines of uid_map. */
const within = (map: string) => `
import ctypes, os, sys
child = os.fork()
if child == 0:
    own = os.readlink("/proc/self/ns/user")
    while os.readlink(f"/proc/{os.getppid()}/ns/user") == own:
        pass
    for kind in "uid", "gid":
        with open(f"/proc/{os.getppid()}/{kind}_map", "w") as ids:
            ids.write("${map}")
    os._exit(0)
assert ctypes.CDLL(None).unshare(0x10000000) == 0 # CLONE_NEWUSER
assert os.waitpid(child, 0)[1] == 0
os.execvp(sys.argv[1], sys.argv[1:])`;

const WITHOUT_ALICE = within(`0 0 1\\n${BOB} ${BOB} 1\\n`);
/* The kernel shows all unmapped users as this id. */
const AS_NOBODY = within("65534 0 1\\n");

/** Starts a server in a namespace and waits until it listens. */
async function start(
  place: Place,
  dir: TempDir,
  options: {
    readonly address?: string;
    readonly args: readonly string[];
    readonly before?: readonly string[];
  },
) {
  const address = options.address ?? dir.join("control");
  const argv = xsocketForEveryone(dir, ["serve", address, ...options.args], options.before);
  const program = place.spawn(argv);
  await eventually("the server to serve", () => program.stderr.includes("serving at"));
  return { address, program };
}

/** A prefix for a command that runs it as this user. */
function as(uid: number): string[] {
  return ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "--"];
}

/** Runs bind.py in a namespace as this user. */
function binder(place: Place, uid: number, address: string) {
  const script = readFileSync(BIND, "utf8"); // the file itself may lie where only root may read
  const argv = [...as(uid), "python3", "-c", script, address, String(PORT)];
  return place.spawn(argv, { env: ORDINARY_ENV, stdin: "" });
}

/** The results of two users who bind sockets to one port with SO_REUSEPORT. */
async function stealing(place: Place, address: string): Promise<string[]> {
  await using alice = binder(place, ALICE, address);
  const [first] = await alice.says(/\w+/);
  await using bob = binder(place, BOB, address);
  const [second] = await bob.says(/\w+/);
  return [first, second];
}

/** The lines of each thread's status that start with one of these names. */
function threads(pid: number, names: RegExp): Set<string> {
  const found = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/status`, "utf8")
      .split("\n")
      .filter((line) => names.test(line)),
  );
  return new Set(found);
}

describe.if(isRoot)("as root", () => {
  test("a user cannot share another's port", async () => {
    using dir = tempDir();
    await using target = await createNamespace();
    const { address, program } = await start(target, dir, { args: ["--mode", "0666"] });
    await using _ = program;
    expect(await stealing(target, address)).toEqual(["bound", "EADDRINUSE"]);
  });

  test("without CAP_CHOWN warns once, and users can share ports", async () => {
    using dir = tempDir();
    await using target = await createNamespace();
    const before = ["setpriv", "--bounding-set=-chown", "--inh-caps=-chown", "--"];
    const { address, program } = await start(target, dir, {
      args: ["--mode", "0666", "--threads", "1"],
      before,
    });
    await using _ = program;
    expect(await stealing(target, address)).toEqual(["bound", "bound"]);
    await program.says(/CAP_CHOWN prevents it/);
    const { stdout, stderr } = await here.run([XSOCKET, "status", address]);
    expect(stdout, stderr).toMatch(/unstamped +2 sockets with the server's ids\n/);
    expect(program.stderr.match(/CAP_CHOWN prevents it/g)).toHaveLength(1);
  });

  test.skipIf(isChrooted)(
    "stamps other users' sockets when one user is unmapped in the server's namespace",
    async () => {
      using dir = tempDir();
      await using target = await createNamespace();
      const before = ["python3", "-c", WITHOUT_ALICE];
      const args = ["--mode", "0666", "--threads", "1"];
      const { address, program } = await start(target, dir, { args, before });
      await using _ = program;
      expect(await stealing(target, address)).toEqual(["bound", "EADDRINUSE"]);
      for (let i = 0; i < 3; i++) {
        await using again = binder(target, ALICE, address);
        await again.says(/\w+/);
      }
      await program.says(/fchown gives EINVAL/);
      expect(program.stderr.match(/fchown gives EINVAL/g)).toHaveLength(1);
    },
  );

  test("--user leaves only CAP_CHOWN in every thread, and sockets are still stamped", async () => {
    using dir = tempDir();
    await using target = await createNamespace();
    const args = ["--mode", "0666", "--user", "daemon", "--threads", "2"];
    const { address, program } = await start(target, dir, { args });
    await using _ = program;
    await crowd(address, program.pid, 2);
    const status = threads(program.pid, /^(Uid|Gid|Groups|Cap|NoNewPrivs)/);
    expect([...status].toSorted()).toEqual([
      ...["Amb", "Bnd", "Eff", "Inh", "Prm"].map((set) => `Cap${set}:\t${CHOWN_ALONE}`),
      "Gid:\t1\t1\t1\t1",
      "Groups:\t1 ",
      "NoNewPrivs:\t1",
      "Uid:\t1\t1\t1\t1",
    ]);
    expect(readdirSync(`/proc/${program.pid}/task`).length).toBeGreaterThan(3);
    expect(await stealing(target, address)).toEqual(["bound", "EADDRINUSE"]);
    program.kill("SIGTERM");
    expect(await program.finished()).toBe(0);
  });

  test("works for the largest user id", async () => {
    using dir = tempDir();
    const uid = 0xffff_fffe;
    chownSync(dir.path, uid, uid);
    const before = as(uid);
    const { address, program } = await start(here, dir, { args: [], before });
    await using server = program;
    expect(server.stderr).not.toContain("can replace the socket");
    const { stdout } = await here.run([XSOCKET, "doctor", address, "--same-namespace"]);
    expect(stdout).toContain(`of uid ${uid} listens`);
  });

  test.each([
    ["starts no thread when fewer than 17 are left for the user", 8],
    ["serves and stops normally when no thread is left for the user", 0],
  ])("%s", async (_, left) => {
    using dir = tempDir();
    const uid = 20_000 + (process.pid % 40_000); // probably without other processes, which would count
    chownSync(dir.path, uid, uid);
    await using target = await createNamespace();
    const before = as(uid);
    const { address, program } = await start(target, dir, { args: [], before });
    await using server = program;
    const limit = readdirSync(`/proc/${server.pid}/task`).length + left;
    const limiting = [...before, "prlimit", `--pid=${server.pid}`, `--nproc=${limit}`];
    expect((await here.run(limiting)).code).toBe(0);
    const isSaid = () => program.stderr.includes("fewer than 17 threads are left");
    await crowdUntil(address, isSaid, server.pid);
    expect(servingThreads(server.pid)).toHaveLength(1);
    program.kill("SIGTERM");
    expect(await program.finished()).toBe(0);
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
    const before = ["setpriv", `--bounding-set=${caps}`, `--inh-caps=${caps}`, "env", "-C"];
    const words = ["serve", dir.join("control"), "--user", "daemon"];
    const argv = xsocketForEveryone(dir, words, [...before, dir.join("alice")]);
    await using program = here.spawn(argv);
    await program.says(/serving at|cannot/);
    expect(program.stderr).toContain("serving at");
  });

  test("names both rights needed for a directory that is writable but not readable", async () => {
    using dir = tempDir();
    mkdirSync(dir.join("drop"));
    chownSync(dir.join("drop"), 0, ALICE);
    chmodSync(dir.join("drop"), 0o730);
    const argv = xsocketForEveryone(dir, ["serve", dir.join("drop/control")], as(ALICE));
    const { code, stderr } = await here.run(argv);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `xsocket: cannot open the directory ${dir.join("drop")} as uid ${ALICE}: EACCES. Use a directory that this user may write to and, for its lock, read, or run as another user\n`,
    });
  });

  test("--user reports a policy that the user may not read", async () => {
    using dir = tempDir();
    mkdirSync(dir.join("closed"), { mode: 0o700 });
    const policy = dir.join("closed/policy.toml");
    await Bun.write(policy, '[[rule]]\naction = "allow"\n');
    const words = ["serve", dir.join("control"), "--user", "daemon", "--policy", policy];
    const { code, stderr } = await here.run(xsocketForEveryone(dir, words));
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `xsocket: ${policy}: cannot be read (EACCES). Give the path of a file that the server's user may read\n`,
    });
  });

  test.each([
    ["while it is root", ["setpriv", "--bounding-set", "-setgid"]],
    ["when it is that user", ["python3", "-c", NO_AMBIENT]],
  ])("leaves no socket file when it cannot become the user (refused %s)", async (_, before) => {
    using dir = tempDir();
    const words = ["serve", dir.join("control"), "--user", "daemon"];
    const { code, stderr } = await here.run([...before, ...xsocketForEveryone(dir, words)]);
    expect(stderr).toMatch(/^xsocket: cannot become uid 1 .*: EPERM\. Leave .*\n$/);
    expect(code).toBe(1);
    expect(existsSync(dir.join("control"))).toBe(false);
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
    const argv = xsocketForEveryone(dir, ["serve", "--user", "daemon"]);
    expect((await here.run([...before, ...argv])).stdout).toBe("0\n");
  });

  test.each([
    ["that of the default path, where something else is in it", undefined],
    ["that of another path", "alone/control"],
  ])("--user leaves the directory to root: %s", async (_, path) => {
    using dir = tempDir();
    mkdirSync(dir.join("alone"));
    const script = `mount -t tmpfs none /run; mkdir -m 711 /run/xsocket; touch /run/xsocket/other; exec "$0" "$@"`;
    const words = path === undefined ? [] : [dir.join(path)];
    const argv = xsocketForEveryone(dir, ["serve", ...words, "--user", "daemon"]);
    await using program = here.spawn(["unshare", "-m", "sh", "-c", script, ...argv]);
    const [, address = ""] = await program.says(/serving at (\S+)/);
    expect(statSync(dirname(`/proc/${program.pid}/root${address}`)).uid).toBe(0);
  });

  test("--user takes over the default path's directory from a former user without warning", async () => {
    using dir = tempDir();
    const script = `mount -t tmpfs none /run; mkdir -m 711 /run/xsocket; chown 2 /run/xsocket; exec "$0" "$@"`;
    const argv = xsocketForEveryone(dir, ["serve", "--user", "daemon"]);
    await using program = here.spawn(["unshare", "-m", "sh", "-c", script, ...argv]);
    await program.says(/serving at/);
    expect(program.stderr).toBe("xsocket: serving at /run/xsocket/default\n");
    expect(statSync(`/proc/${program.pid}/root/run/xsocket`).uid).toBe(1);
  });

  test("--user warns that the directory's owner can replace the socket", async () => {
    using dir = tempDir();
    mkdirSync(dir.join("theirs"));
    chownSync(dir.join("theirs"), 2, 2);
    const argv = xsocketForEveryone(dir, ["serve", dir.join("theirs/s"), "--user", "daemon"]);
    await using program = here.spawn(argv);
    await program.says(/serving at/);
    expect(program.stderr).toContain("warning: uid 2 can replace the socket");
  });

  test("--user serves only the socket from the manager and leaves its file", async () => {
    using dir = tempDir(0o777);
    const made = dir.join("made");
    const argv = xsocketForEveryone(dir, ["serve", dir.join("other"), "--user", "daemon"]);
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
    const argv = xsocketForEveryone(dir, ["serve", "--user", "daemon"]);
    await using program = here.spawn([...before, ...argv]);
    await program.says(/^xsocket: serving at \/run\/xsocket\/default$/m);
  });

  test("a rule matches supplementary groups, and another allows raw sockets", async () => {
    using dir = tempDir();
    const rules =
      '[[rule]]\naction = "allow"\ngid = 4300\n[[rule]]\naction = "allow"\nuid = 4202\ntype = "raw"\n';
    await Bun.write(dir.join("policy.toml"), rules);
    await using target = await createNamespace();
    const args = ["--mode", "0666", "--policy", dir.join("policy.toml")];
    const { address, program } = await start(target, dir, { args });
    await using server = program;
    const ask = async (uid: number, groups: string, type: number, protocol: number) => {
      const user = ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, groups, "--"];
      const argv = [...user, "python3", "-c", TAKE, address, String(type), String(protocol)];
      return (await target.run(argv, { env: ORDINARY_ENV })).stdout.trim();
    };
    expect(await ask(ALICE, "--groups=7,4300", 1, 0)).toBe("0 1");
    expect(await ask(ALICE, "--groups=7,4301", 1, 0)).toBe("1 0");
    expect(await ask(ALICE, "--groups=4300", 3, 1)).toBe("1 0");
    expect(await ask(BOB, "--clear-groups", 3, 1)).toBe("0 1");
    await server.says(/refused AF_INET SOCK_RAW IPPROTO_ICMP \(no rule\)/);
  });

  test("an abstract name serves only root and the server's user by default", async () => {
    using dir = tempDir();
    await using target = await createNamespace();
    const name = `@xsocket-test-${crypto.randomUUID()}`;
    const { program } = await start(target, dir, { address: name, args: ["--user", "daemon"] });
    await using _ = program;
    for (const [uid, expected] of [
      [0, "bound"],
      [1, "bound"],
      [BOB, "EPERM"],
    ] as const) {
      await using client = binder(target, uid, name);
      expect((await client.says(/\w+/))[0]).toBe(expected);
    }
  });

  test("an abstract name is free as soon as the server stops", async () => {
    using dir = tempDir();
    const address = `@xsocket-test-${crypto.randomUUID()}`;
    const { program } = await start(here, dir, { address, args: ["--user", "daemon"] });
    await using _ = program;
    using client = new RawClient(address); // for which the server waits
    expect(askOnce(address)).toBe(0);
    program.kill("SIGTERM");
    await untilFree(address);
    expect(client.ask()).toBe(0);
  });

  test.skipIf(isChrooted)(
    "a server that runs as nobody in a user namespace trusts no unmapped user",
    async () => {
      using dir = tempDir();
      await using target = await createNamespace();
      const address = `@xsocket-test-${crypto.randomUUID()}`;
      const before = ["python3", "-c", AS_NOBODY];
      const { program } = await start(target, dir, { address, args: [], before });
      await using _ = program;
      await using bob = binder(target, BOB, address);
      expect((await bob.says(/\w+/))[0]).toBe("EPERM");
      using again = tempDir();
      const trusting = [...as(BOB), "env", "XSOCKET_ANY_SERVER=1"];
      const argv = xsocketForEveryone(again, ["status", address], trusting);
      expect((await target.run(argv)).stderr).toContain("does not tell its status");
    },
  );

  test.skipIf(isChrooted)(
    "a client that runs as nobody in a user namespace trusts no unmapped server",
    async () => {
      using dir = tempDir();
      await using target = await createNamespace();
      const name = `@xsocket-test-${crypto.randomUUID()}`;
      await using _ = await strangerAt(name, target);
      const argv = xsocketForEveryone(dir, ["status", name], ["python3", "-c", AS_NOBODY]);
      expect((await target.run(argv)).stderr).toContain("neither root nor yourself");
    },
  );

  test.skipIf(isChrooted)(
    "refuses a user unmapped in the server's user namespace and logs why",
    async () => {
      using dir = tempDir();
      await using target = await createNamespace();
      const before = ["unshare", "--user", "--map-root-user"];
      const args = ["--mode", "0666", "--allow-user", "65534"];
      const { address, program } = await start(target, dir, { args, before });
      await using _ = program;
      await using client = binder(target, ALICE, address);
      await client.finished();
      await program.says(
        /\(no rule; no rule can allow uid 65534, which stands for all users that are not mapped/,
      );
    },
  );

  test.skipIf(isChrooted)("reports a group that is unmapped in the user namespace", async () => {
    using dir = tempDir();
    const args = ["serve", dir.join("control"), "--group", "1"];
    const { code, stderr } = await here.run(["unshare", "--map-root-user", XSOCKET, ...args]);
    expect(stderr).toEndWith(
      "to group 1: EINVAL. Name one that this user namespace has (/proc/self/gid_map), or leave --group out\n",
    );
    expect(code).toBe(1);
  });

  test("--user without root fails and leaves no socket file", async () => {
    using dir = tempDir();
    const before = as(65_534);
    const args = ["serve", dir.join("control"), "--user", "daemon"];
    await using target = await createNamespace();
    const { code, stderr } = await target.run(xsocketForEveryone(dir, args, before));
    expect(stderr).toStartWith("xsocket: only root can become another user");
    expect(code).toBe(1);
    expect(readdirSync(dir.path)).not.toContain("control");
  });

  test("--user fails when that user may not run the command, and leaves no socket file", async () => {
    using dir = tempDir(0o700);
    await using target = await createNamespace();
    const argv = xsocketForEveryone(dir, ["serve", dir.join("control"), "--user", "daemon"]);
    const { code, stderr } = await target.run(argv);
    expect(stderr.replace(/run \S+\/bun,/, "run BUN,")).toStartWith(
      `xsocket: uid 1 cannot run BUN, since ${dir.path} is closed to that user: install xsocket where `,
    );
    expect(code).toBe(1);
    expect(readdirSync(dir.path)).not.toContain("control");
  });

  test.each([
    ["nobody-such", "nobody-such"],
    ["4000000000", "--uid 4000000000 NAME"],
    ["no;such", "'no;such'"],
  ])("reports a user that does not exist: %s", async (user, remedy) => {
    using dir = tempDir();
    await using target = await createNamespace();
    const argv = xsocketForEveryone(dir, ["serve", dir.join("control"), "--user", user]);
    const { code, stderr } = await target.run(argv);
    expect(code).toBe(1);
    expect(stderr).toBe(
      `xsocket: there is no user "${user}" in /etc/passwd: make it first (useradd --system ${remedy})\n`,
    );
  });
});
