/* What doctor reports of the control socket, the way to it, and its server. */
import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { encodeAddress, parseAddress } from "@xsocket/protocol";
import { loadSyscalls } from "@xsocket/xbind-native";
import {
  createNamespace,
  HELD_TO_MODES,
  here,
  isAlone,
  isChrooted,
  isRoot,
  leaveStale,
  OWN_MOUNTS,
  refusing,
  startServer,
  strangerAt,
  tempDir,
  XSOCKET,
} from "../harness/index.ts";
import { SilentServer } from "../sdk/silent.ts";
import { BASE, expectOnly, examine, isToBe, PORT, rowOf } from "./examine.ts";

describe("doctor reports", () => {
  test("socket for a path that is missing, no socket, or a dangling link", async () => {
    using dir = tempDir();
    expectOnly(
      await examine([dir.join("control")]),
      "socket",
      /does not exist/,
      /^if the server runs and this is a container, mount .*: xsocket serve /,
    );
    writeFileSync(dir.join("plain"), "");
    expectOnly(await examine([dir.join("plain")]), "socket", /is not a socket/, /xsocket serve/);
    symlinkSync("nothing", dir.join("link"));
    expectOnly(
      await examine([dir.join("link")]),
      "socket",
      /link to nothing/,
      /rm .*xsocket serve/,
    );
    const within = dir.join("plain/control");
    expectOnly(await examine([within]), "socket", /is not a directory/, /xsocket serve PATH/);
    symlinkSync("circle", dir.join("circle"));
    for (const path of [dir.join("circle"), dir.join("circle/control")])
      expectOnly(await examine([path]), "socket", /form a loop \(ELOOP\)$/, /^Repair .*namei/);
  });

  test("socket for an abstract name of another network namespace", async () => {
    await using target = await createNamespace();
    const name = `@xsocket-doctor-${process.pid}@x`;
    await using server = await startServer({ place: target, path: name });
    const rows = await examine([server.path]);
    expectOnly(
      rows,
      "socket",
      /in this network namespace/,
      /^if the server runs in another one, .*listen at a path.*: xsocket serve '?@/,
    );
    const within = await examine([name], { place: target });
    const wanting = within.filter(({ status }) => status === "failed" || status === "warning");
    expect(wanting).toEqual([]);
    for (const part of [name.slice(0, -2), "@x"])
      expectOnly(await examine([part], { place: target }), "socket", /there is no @/, /./);
  });

  test("no fault of the socket for an abstract name with a line break", async () => {
    const name = `xsocket-doctor-${process.pid}\nx`;
    using listener = Bun.listen({ unix: `\0${name}`, socket: { data() {} } });
    const rows = await examine([`@${name}`]);
    listener.stop();
    expect(rowOf(rows, "socket").status).toBe("ok");
  });

  test("permission for a directory on the path without search permission", async () => {
    using dir = tempDir();
    mkdirSync(dir.join("a/b"), { recursive: true });
    await using server = await startServer({ place: "own", path: dir.join("a/b/control") });
    const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
    const itsGroup = isRoot ? 4201 : gid;
    chownSync(dir.join("a"), uid, itsGroup);
    const refusal = async (what: string) =>
      expectOnly(
        await examine([server.path], { start: HELD_TO_MODES }),
        "permission",
        new RegExp(`directory ${dir.join("a")} \\(${what}\\) refuses uid ${uid}$`),
        new RegExp(`setfacl -m u:${uid}:x /`),
      );
    chmodSync(dir.join("a"), 0o651);
    await refusal(`drw-r-x--x, uid ${uid}, gid ${itsGroup}`);
    await here.run(["setfacl", "-m", "u:0:r", dir.join("a")]);
    await refusal(`drw-r-x--x, uid ${uid}, gid ${itsGroup} with an ACL \\(getfacl shows it\\)`);
    chmodSync(dir.join("a"), 0o700);
  });

  test("permission for a directory behind a symbolic link", async () => {
    using dir = tempDir();
    mkdirSync(dir.join("a/b"), { recursive: true });
    symlinkSync(dir.join("a/b"), dir.join("way"));
    symlinkSync("way/control", dir.join("link"));
    await using server = await startServer({ path: dir.join("a/b/control") });
    chmodSync(dir.join("a"), 0o600);
    for (const path of [dir.join("way/control"), dir.join("link")])
      expectOnly(
        await examine([path], { start: HELD_TO_MODES }),
        "permission",
        new RegExp(`directory ${dir.join("a")} \\(drw-------, .* refuses uid`),
        new RegExp(`setfacl -m u:\\d+:x ${dir.join("a")}$`),
      );
    chmodSync(dir.join("a"), 0o700);
    chmodSync(server.path, 0o400);
    const refusal = async (remedy: RegExp) =>
      expectOnly(
        await examine([dir.join("link")], { start: HELD_TO_MODES }),
        "permission",
        /socket .*way\/control \(sr--(rw-|---)---/,
        remedy,
      );
    await refusal(/^start the server with --group or --mode, such as 0660: .* write permission$/); // no group write
    if (!isRoot) return;
    chmodSync(server.path, 0o460);
    await refusal(/^start the server with --group or --mode$/); // joining root's group is not advised
    chownSync(server.path, 0, 4201);
    await refusal(/^add this user to the socket's group, which .* login on, or start/);
  });

  /* An ACL of a file system in memory is not for good, and a unit sets it at each start. */
  test.if(isRoot)("permission for a directory below /run", async () => {
    const closed = 'mount -t tmpfs run /run && mkdir -m 0 /run/xsocket && exec "$@"';
    const start = [...OWN_MOUNTS, "sh", "-c", closed, "sh", ...HELD_TO_MODES];
    expectOnly(
      await examine(["/run/xsocket/default"], { start }),
      "permission",
      /directory \/run\/xsocket .* refuses uid/,
      /^let this user pass until the next boot: setfacl -m u:\d+:x \/run\/xsocket$/,
    );
  });

  test.skipIf(isChrooted)(
    "permission for a user of a user namespace, whom setfacl outside of it knows by another number",
    async () => {
      using dir = tempDir();
      mkdirSync(dir.join("a"));
      await using server = await startServer({ path: dir.join("a/control") });
      chmodSync(dir.join("a"), 0o600);
      const start = ["unshare", "--user", "--map-user=7"];
      expectOnly(
        await examine([server.path], { start }),
        "permission",
        /directory .* refuses uid 7$/,
        new RegExp(`outside this user namespace: setfacl -m u:${process.geteuid?.()}:x `),
      );
      chmodSync(dir.join("a"), 0o700);
    },
  );

  test.skipIf(isAlone)("permission for a link that this user may not follow", async () => {
    const start = isRoot ? ["setpriv", "--bounding-set=-sys_ptrace"] : [];
    expectOnly(
      await examine([`/proc/${isRoot ? process.pid : 1}/root/run/control`], { start }),
      "permission",
      /link \/proc\/\d+\/root \(l/,
      /a path that/,
    );
  });

  test("server for a socket whose server has ended", async () => {
    using dir = tempDir();
    leaveStale(dir.join("s"));
    const remedy = /xsocket serve.* If it runs, a container .* directory, not the file/;
    expectOnly(await examine([dir.join("s")]), "server", /ECONNREFUSED/, remedy);
  });

  test("server for a socket of another type or one that accepts nobody", async () => {
    using dir = tempDir();
    using _ = Bun.listen({ unix: dir.join("stream"), socket: { data() {} } });
    const rows = await examine([dir.join("stream")]);
    expectOnly(rows, "server", /EPROTOTYPE/, /Name the control socket/);

    using silent = new SilentServer(0);
    const native = loadSyscalls();
    const waiting = native.handoverConnect(silent.path, 0);
    expectOnly(await examine([silent.path]), "server", /ETIMEDOUT/, /stopped or overloaded/);
    for (const fd of [waiting, await silent.accept()]) native.close(fd);
  });

  test.each([
    ["EAFNOSUPPORT", /RestrictAddressFamilies=/],
    ["EMFILE", /ulimit -n/],
    ["ENFILE", /fs\.file-max/],
    ["EOPNOTSUPP", /Allow AF_UNIX in .* seccomp filter/], // as firejail's filter returns
    ["EPERM", /seccomp filter/],
  ])("server when this process may not make a UNIX socket (%s)", async (code, remedy) => {
    await using server = await startServer();
    const rows = await examine([server.path], { start: refusing("socket", 0, 1, code) });
    expectOnly(rows, "server", new RegExp(`\\(${code}\\)$`), remedy);
  });

  test("server when connect is denied despite the permissions", async () => {
    await using server = await startServer();
    const length = encodeAddress(parseAddress(server.path)).byteLength;
    const rows = await examine([server.path], {
      start: refusing("connect", 2, length, "EACCES"),
    });
    expectOnly(
      rows,
      "server",
      /but a connection is denied \(EACCES\)$/,
      /Landlock, AppArmor or SELinux/,
    );
  });

  test.skipIf(!isRoot)("server for an abstract name that another user holds", async () => {
    const name = `@xsocket-doctor-${process.pid}`;
    await using _ = await strangerAt(name);
    const remedy = /ss -xlp.*XSOCKET_ANY_SERVER/;
    expectOnly(await examine([name]), "server", /EACCES/, remedy);
  });

  test("tcp4 for a stopped server, which is asked only once", async () => {
    await using server = await startServer({ place: "own" });
    await server.program.pause();
    const rows = await examine([server.path, "--port", "udp/3000", "--port", "udp/3001"]);
    server.program.kill("SIGCONT");
    expect(rowOf(rows, "server").found).toMatch(/ listens$/);
    expectOnly(
      rows,
      "tcp4",
      /did not answer in time/,
      /^Check whether the server is stopped or overloaded, or cannot start \(its log says why\)\.$/,
    );
    expect(rows.map(({ name }) => name)).toEqual(["libraries", ...BASE, ...PORT, ...PORT]);
  });

  const kinds: [string, string, string][] = [
    ["tcp4", "inet", "stream"],
    ["udp4", "inet", "dgram"],
    ["tcp6", "inet6", "stream"],
    ["udp6", "inet6", "dgram"],
  ];
  const kindsToBe = kinds.filter(([name]) => isToBe(name));

  test.each(kindsToBe)(
    "%s for a kind of socket that the policy denies",
    async (name, family, type) => {
      const rule = `[[rule]]\naction = "deny"\nfamily = "${family}"\ntype = "${type}"\n`;
      const policy = `${rule}[[rule]]\naction = "allow"\n`;
      await using server = await startServer({ place: "own", policy });
      const rows = await examine([server.path, "--port", "3000"]);
      expectOnly(rows, name, /EPERM|EACCES/, /policy/);
      const ofPort = rows.filter((row) => PORT.includes(row.name)).map(({ status }) => status);
      expect(ofPort).toEqual(["ok", "ok", "ok"]);
    },
  );

  test("only kinds of sockets that some port needs", async () => {
    const policy = '[[rule]]\naction = "allow"\ntype = "stream"\n';
    await using server = await startServer({ place: "own", policy });
    const broken = async (...ports: string[]) => {
      const rows = await examine([server.path, ...ports.flatMap((port) => ["--port", port])]);
      return rows.filter(({ status }) => status === "failed").map(({ name }) => name);
    };
    const udp = ["udp4", "udp6"].filter(isToBe);
    expect(await broken("tcp/3000", "tcp/3001")).toEqual([]);
    for (const ports of [[], ["3000"], ["tcp/3000", "udp/53"]])
      expect(await broken(...ports)).toEqual(udp);
  });

  test("tcp4 for an abstract name that this user may not use", async () => {
    await using server = await startServer({
      path: `@xsocket-doctor-${process.pid}`,
      args: ["--allow-user", "12345"],
    });
    const row = rowOf(await examine([server.path]), "tcp4");
    expect(row).toMatchObject({ status: "failed", found: expect.stringMatching(/\(EPERM\)$/) });
    expect(row.remedy).toMatch(/abstract name.* root .*--allow-user.* path/);
  });

  test("something as failed, however few files may be open", async () => {
    const script = 'for n in $(seq 5 16); do (ulimit -n "$n"; "$@"; echo "$n $?"); done';
    const { stdout } = await here.run(["sh", "-c", script, "sh", XSOCKET, "doctor", "/nowhere"]);
    expect(stdout.match(/^\d+ \d+$/gm)).toHaveLength(12);
    expect(stdout).not.toMatch(/^\d+ 0$/m);
  });
});
