/* What the server and its clients make of each other's users. */
import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, readdirSync } from "node:fs";
import {
  createNamespace,
  guardDescriptors,
  here,
  isChrooted,
  isRoot,
  ORDINARY_ENV,
  strangerAt,
  tempDir,
  XSOCKET,
  xsocketForEveryone,
} from "../harness/index.ts";
import { servingThreads } from "../server/process.ts";
import { askOnce, crowdUntil, RawClient, untilFree } from "../server/raw.ts";
import { ALICE, as, binder, BOB, start, stealing } from "./two-users.ts";

guardDescriptors();

/* Sends one request and prints the error of the reply and the number of its descriptors. */
const TAKE = `
import socket, struct, sys
control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
control.connect(sys.argv[1])
control.send(struct.pack("!Iiii", 0x58533031, 2, int(sys.argv[2]), int(sys.argv[3])))
reply, fds, _, _ = socket.recv_fds(control, 16, 4)
print(struct.unpack("!II", reply)[1], len(fds))`;

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

  test.each([
    ["by default", []],
    ["with a quota", ["--sockets-per-minute", "600"]],
  ])("an abstract name serves only root and the server's user %s", async (_name, more) => {
    using dir = tempDir();
    await using target = await createNamespace();
    const name = `@xsocket-test-${crypto.randomUUID()}`;
    const args = ["--user", "daemon", ...more];
    const { program } = await start(target, dir, { address: name, args });
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
});
