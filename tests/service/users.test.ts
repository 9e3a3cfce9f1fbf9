/* What the server and its clients make of each other's users. */
import { describe, expect, test as testAnywhere } from "bun:test";
import { chmodSync, chownSync, mkdirSync, readdirSync } from "node:fs";
import {
  asOrdinaryUser,
  createNamespace,
  here,
  isChrooted,
  isRoot,
  ORDINARY_ENV,
  startServer,
  strangerAt,
  tempDir,
  XSOCKET,
  xsocketForEveryone,
  expectSentence,
} from "../harness/index.ts";
import { servingThreads } from "../server/process.ts";
import { askOnce, crowdUntil, RawClient, untilFree } from "../server/raw.ts";
import { ALICE, binder, BOB, stealing } from "./two-users.ts";

/* Sends one request and prints the error of the reply and the number of its descriptors. */
const TAKE = `
import socket, struct, sys
control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
control.connect(sys.argv[1])
control.send(struct.pack("!Iiii", 0x58533031, 2, int(sys.argv[2]), int(sys.argv[3])))
reply, fds, _, _ = socket.recv_fds(control, 16, 4)
print(struct.unpack("!II", reply)[1], len(fds))`;

/* Runs a program in a user namespace with these lines of uid_map and gid_map. */
const within = (uids: string, gids = uids) => `
import ctypes, os, sys
child = os.fork()
if child == 0:
    own = os.readlink("/proc/self/ns/user")
    while os.readlink(f"/proc/{os.getppid()}/ns/user") == own:
        pass
    for kind, map in ("uid", "${uids}"), ("gid", "${gids}"):
        with open(f"/proc/{os.getppid()}/{kind}_map", "w") as ids:
            ids.write(map)
    os._exit(0)
assert ctypes.CDLL(None).unshare(0x10000000) == 0 # CLONE_NEWUSER
assert os.waitpid(child, 0)[1] == 0
os.execvp(sys.argv[1], sys.argv[1:])`;

const WITHOUT_ALICE = within(`0 0 1\\n${BOB} ${BOB} 1\\n`);
/* The kernel shows all unmapped users as this id. */
const AS_NOBODY = within("65534 0 1\\n");

/* A server that other users reach. */
const SHARED = { forEveryone: true, args: ["--mode", "0666", "--threads", "1"] };

const test = testAnywhere.if(isRoot);

describe("as root", () => {
  test("a user cannot share another's port", async () => {
    await using target = await createNamespace();
    await using server = await startServer({ ...SHARED, place: target });
    expect(await stealing(target, server.path)).toEqual(["bound", "EADDRINUSE"]);
  });

  test("without CAP_CHOWN warns once, and users can share ports", async () => {
    await using target = await createNamespace();
    const before = ["setpriv", "--bounding-set=-chown", "--inh-caps=-chown", "--"];
    await using server = await startServer({ ...SHARED, place: target, before });
    const { path, program } = server;
    expect(await stealing(target, path)).toEqual(["bound", "bound"]);
    await program.says(/CAP_CHOWN prevents it/);
    const { stdout, stderr } = await here.run([XSOCKET, "status", path]);
    expect(stdout, stderr).toMatch(/unstamped +2 sockets with the server's ids\n/);
    expect(program.stderr.match(/CAP_CHOWN prevents it/g)).toHaveLength(1);
  });

  testAnywhere.skipIf(!isRoot || isChrooted)(
    "stamps other users' sockets when one user is unmapped in the server's namespace",
    async () => {
      await using target = await createNamespace();
      const before = ["python3", "-c", WITHOUT_ALICE];
      await using server = await startServer({ ...SHARED, place: target, before });
      const { path, program } = server;
      expect(await stealing(target, path)).toEqual(["bound", "EADDRINUSE"]);
      for (let i = 0; i < 3; i++) {
        await using again = binder(target, ALICE, path);
        await again.says(/\w+/);
      }
      await program.says(/fchown gives EINVAL/);
      expect(program.stderr.match(/fchown gives EINVAL/g)).toHaveLength(1);
    },
  );

  test("works for the largest user id", async () => {
    using dir = tempDir();
    const uid = 0xffff_fffe;
    chownSync(dir.path, uid, uid);
    const how = { forEveryone: true, before: asOrdinaryUser([], uid) };
    await using server = await startServer({ ...how, path: dir.join("control") });
    expect(server.program.stderr).not.toContain("can replace the socket");
    const { stdout } = await here.run([XSOCKET, "doctor", server.path, "--same-namespace"]);
    expect(stdout).toContain(`of uid ${uid} listens`);
  });

  test.each([
    ["starts no thread when fewer than 17 are left for the user", 8],
    ["serves and stops normally when no thread is left for the user", 0],
  ])("%s", async (_, left) => {
    using dir = tempDir();
    const uid = 20_000 + (process.pid % 40_000); // probably without other processes, which would count
    chownSync(dir.path, uid, uid);
    const before = asOrdinaryUser([], uid);
    await using server = await startServer({
      forEveryone: true,
      before,
      path: dir.join("control"),
    });
    const { pid } = server.program;
    const limit = readdirSync(`/proc/${pid}/task`).length + left;
    const limiting = [...before, "prlimit", `--pid=${pid}`, `--nproc=${limit}`];
    expect((await here.run(limiting)).code).toBe(0);
    const isSaid = () => server.program.stderr.includes("fewer than 17 threads are left");
    await crowdUntil(server.path, isSaid, pid);
    expect(servingThreads(pid)).toHaveLength(1);
    expect(await server.stop()).toBe(0);
  });

  test("names both rights needed for a directory that is writable but not readable", async () => {
    using dir = tempDir();
    mkdirSync(dir.join("drop"));
    chownSync(dir.join("drop"), 0, ALICE);
    chmodSync(dir.join("drop"), 0o730);
    const argv = xsocketForEveryone(
      dir,
      ["serve", dir.join("drop/control")],
      asOrdinaryUser([], ALICE),
    );
    const says = `xsocket: cannot open the directory ${dir.join("drop")} as uid ${ALICE}: EACCES. Use a directory that this user may write to and, for its lock, read, or run as another user\n`;
    expectSentence(await here.run(argv), 1, says);
  });

  test("a rule matches supplementary groups, and another allows raw sockets", async () => {
    const policy =
      '[[rule]]\naction = "allow"\ngid = 4300\n[[rule]]\naction = "allow"\nuid = 4202\ntype = "raw"\n';
    await using target = await createNamespace();
    await using server = await startServer({ ...SHARED, place: target, policy });
    const ask = async (uid: number, groups: string, type: number, protocol: number) => {
      const user = ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, groups, "--"];
      const argv = [...user, "python3", "-c", TAKE, server.path, String(type), String(protocol)];
      return (await target.run(argv, { env: ORDINARY_ENV })).stdout.trim();
    };
    expect(await ask(ALICE, "--groups=7,4300", 1, 0)).toBe("0 1");
    expect(await ask(ALICE, "--groups=7,4301", 1, 0)).toBe("1 0");
    expect(await ask(ALICE, "--groups=4300", 3, 1)).toBe("1 0");
    expect(await ask(BOB, "--clear-groups", 3, 1)).toBe("0 1");
    await server.program.says(/refused AF_INET SOCK_RAW IPPROTO_ICMP \(no rule\)/);
  });

  test.each([
    ["by default", []],
    ["with a quota", ["--sockets-per-minute", "600"]],
  ])("an abstract name serves only root and the server's user %s", async (_name, more) => {
    await using target = await createNamespace();
    const path = `@xsocket-test-${crypto.randomUUID()}`;
    const args = ["--user", "daemon", ...more];
    await using _ = await startServer({ forEveryone: true, place: target, path, args });
    for (const [uid, expected] of [
      [0, "bound"],
      [1, "bound"],
      [BOB, "EPERM"],
    ] as const) {
      await using client = binder(target, uid, path);
      expect((await client.says(/\w+/))[0]).toBe(expected);
    }
  });

  test("an abstract name is free as soon as the server stops", async () => {
    const path = `@xsocket-test-${crypto.randomUUID()}`;
    const args = ["--user", "daemon"];
    await using server = await startServer({ forEveryone: true, path, args });
    using client = new RawClient(path); // for which the server waits
    expect(askOnce(path)).toBe(0);
    server.program.kill("SIGTERM");
    await untilFree(path);
    expect(client.ask()).toBe(0);
  });

  testAnywhere.skipIf(!isRoot || isChrooted)(
    "a server that runs as nobody in a user namespace trusts no unmapped user",
    async () => {
      using dir = tempDir();
      await using target = await createNamespace();
      const path = `@xsocket-test-${crypto.randomUUID()}`;
      const before = ["python3", "-c", AS_NOBODY];
      await using _ = await startServer({ forEveryone: true, place: target, path, before });
      await using bob = binder(target, BOB, path);
      expect((await bob.says(/\w+/))[0]).toBe("EPERM");
      const trusting = asOrdinaryUser(["env", "XSOCKET_ANY_SERVER=1"], BOB);
      const argv = xsocketForEveryone(dir, ["status", path], trusting);
      expect((await target.run(argv)).stderr).toContain("does not tell its status");
    },
  );

  testAnywhere.skipIf(!isRoot || isChrooted)(
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

  testAnywhere.skipIf(!isRoot || isChrooted)(
    "refuses a user unmapped in the server's user namespace and logs why",
    async () => {
      await using target = await createNamespace();
      const before = ["unshare", "--user", "--map-root-user"];
      const args = [...SHARED.args, "--allow-user", "65534"];
      await using server = await startServer({ ...SHARED, place: target, args, before });
      await using client = binder(target, ALICE, server.path);
      await client.finished();
      await server.program.says(
        /\(no rule; no rule can allow uid 65534, which stands for all users that are not mapped/,
      );
    },
  );

  testAnywhere.skipIf(!isRoot || isChrooted)(
    "reports a group that is unmapped in the user namespace",
    async () => {
      using dir = tempDir();
      const args = ["serve", dir.join("control"), "--group", "1"];
      const says =
        "to group 1: EINVAL. Name one that this user namespace has (/proc/self/gid_map), or leave --group out\n";
      expectSentence(await here.run(["unshare", "--map-root-user", XSOCKET, ...args]), 1, says);
    },
  );

  testAnywhere.skipIf(!isRoot || isChrooted).each([
    ["a user", ["unshare", "--map-root-user"]],
    ["a user's group", ["python3", "-c", within("0 0 2\\n", "0 0 1\\n")]],
  ])("reports %s that is unmapped in the user namespace", async (_what, before) => {
    using dir = tempDir();
    const words = ["serve", dir.join("control"), "--user", "1"];
    const argv = xsocketForEveryone(dir, words, before);
    const says =
      /^xsocket: cannot become uid 1\b.*: E\w+\. Name one that this user namespace has, with all its groups \(\/proc\/self\/uid_map, gid_map\), or leave --user out\n$/;
    const { code, stderr } = await here.run(argv);
    expect(stderr).toMatch(says);
    expect(code).toBe(1);
  });
});
