import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { encodeAddress, parseAddress } from "@xsocket/protocol";
import { libraryPath, loadSyscalls } from "@xsocket/xbind-native";
import {
  createNamespace,
  eventually,
  guardDescriptors,
  hasCookies,
  hasIpv6,
  HELD_TO_MODES,
  here,
  isRoot,
  refusing,
  startServer,
  strangerAt,
  tempDir,
  XSOCKET,
} from "../harness/index.ts";
import { silentServer } from "../sdk/silent.ts";
import { BASE, expectOnly, examine, isOfProgram, isToBe, PORT } from "./examine.ts";

guardDescriptors();

describe("doctor reports", () => {
  test("socket for a path that is missing, no socket, or a dangling link", async () => {
    using dir = tempDir();
    expectOnly(
      await examine([dir.join("control")]),
      "socket",
      /does not exist/,
      /container, mount .*: xsocket serve /,
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
      /listen at a path.*: xsocket serve '?@/,
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
    expect(rows.find((row) => row.name === "socket")?.status).toBe("ok");
  });

  test("permission for a directory on the path without search permission", async () => {
    await using target = await createNamespace();
    using dir = tempDir();
    mkdirSync(dir.join("a/b"), { recursive: true });
    await using server = await startServer({ place: target, path: dir.join("a/b/control") });
    const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
    const itsGroup = uid === 0 ? 4201 : gid;
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
    await here.run(["setfacl", "-m", "u:4202:r", dir.join("a")]);
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

  test("permission for a link that this user may not follow", async () => {
    const start = isRoot ? ["setpriv", "--bounding-set=-sys_ptrace"] : [];
    expectOnly(
      await examine([`/proc/${isRoot ? process.pid : 1}/root/run/control`], { start }),
      "permission",
      /link \/proc\/\d+\/root \(l/,
      /a path that/,
    );
  });

  test("server for a socket whose server has ended", async () => {
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
    server.program.kill("SIGKILL");
    await server.program.exited;
    const remedy = /xsocket serve.* If it runs, a container .* directory, not the file/;
    expectOnly(await examine([server.path]), "server", /ECONNREFUSED/, remedy);
  });

  test("server for a socket of another type or one that accepts nobody", async () => {
    using dir = tempDir();
    using _ = Bun.listen({ unix: dir.join("stream"), socket: { data() {} } });
    const rows = await examine([dir.join("stream")]);
    expectOnly(rows, "server", /EPROTOTYPE/, /Name the control socket/);

    const path = dir.join("control");
    using silent = silentServer(path, 0);
    const native = loadSyscalls();
    const waiting = native.handoverConnect(path, 0);
    expectOnly(await examine([path]), "server", /ETIMEDOUT/, /stopped or overloaded/);
    for (const fd of [waiting, native.accept(silent.fd)]) native.close(fd);
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
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
    await server.program.pause();
    const rows = await examine([server.path, "--port", "udp/3000", "--port", "udp/3001"]);
    server.program.kill("SIGCONT");
    expect(rows.find(({ name }) => name === "server")?.found).toMatch(/ listens$/);
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
      using dir = tempDir();
      const rule = `[[rule]]\naction = "deny"\nfamily = "${family}"\ntype = "${type}"\n`;
      writeFileSync(dir.join("policy"), `${rule}[[rule]]\naction = "allow"\n`);
      await using target = await createNamespace();
      const args = ["--policy", dir.join("policy")];
      await using server = await startServer({ place: target, args });
      const rows = await examine([server.path, "--port", "3000"]);
      expectOnly(rows, name, /EPERM|EACCES/, /policy/);
      const ofPort = rows.filter((row) => PORT.includes(row.name)).map(({ status }) => status);
      expect(ofPort).toEqual(["ok", "ok", "ok"]);
    },
  );

  test("only kinds of sockets that some port needs", async () => {
    using dir = tempDir();
    writeFileSync(dir.join("policy"), '[[rule]]\naction = "allow"\ntype = "stream"\n');
    await using target = await createNamespace();
    const args = ["--policy", dir.join("policy")];
    await using server = await startServer({ place: target, args });
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
    const row = (await examine([server.path])).find(({ name }) => name === "tcp4");
    expect(row).toMatchObject({ status: "failed", found: expect.stringMatching(/\(EPERM\)$/) });
    expect(row?.remedy).toMatch(/abstract name.* root .*--allow-user.* path/);
  });

  test.skipIf(!hasCookies)(
    "namespace for a server in the same namespace, unless --same-namespace is given",
    async () => {
      await using server = await startServer();
      const rows = await examine([server.path]);
      expectOnly(
        rows,
        "namespace",
        /and so is this process/,
        /start the server in that namespace.*--same-namespace/,
      );
      expect(rows.find(({ name }) => name === "namespace")?.status).toBe("warning");
      const meant = await examine([server.path, "--same-namespace"]);
      expect(meant.every(({ name, status }) => status === "ok" || !isToBe(name))).toBe(true);
    },
  );

  test.skipIf(!hasIpv6).each([
    [4, ["namespace", "port-free"]],
    [5, ["port-free"]],
    [7, ["port-firewall"]],
    [8, ["port-firewall"]],
    [9, []],
  ])("checks that get no socket under a quota of %d sockets per minute", async (quota, names) => {
    await using target = await createNamespace();
    const args = ["--sockets-per-minute", String(quota)];
    await using server = await startServer({ place: target, args });
    const rows = await examine([server.path, "--port", "tcp/3000"]);
    const broken = rows.filter(({ status }) => status === "failed");
    expect(broken.map(({ name }) => name)).toEqual(names);
    for (const { found } of broken) expect(found).toContain("EPERM");
  });

  test("no port as failed when the policy denies the sockets for it", async () => {
    await using target = await createNamespace();
    using dir = tempDir();
    for (const [key, expected] of [
      ['family = "inet"', ["ok", "ok", "skipped"]],
      ['type = "stream"', ["skipped", "skipped", "skipped"]],
    ] as const) {
      const text = `[[rule]]\naction = "deny"\n${key}\n[[rule]]\naction = "allow"\n`;
      writeFileSync(dir.join("policy"), text);
      const args = ["--policy", dir.join("policy")];
      await using server = await startServer({ place: target, args });
      const rows = await examine([server.path, "--port", "tcp/3000"]);
      const ofPort = rows.filter(({ name }) => PORT.includes(name)).map(({ status }) => status);
      expect(ofPort, key).toEqual(hasIpv6 ? [...expected] : ["skipped", "skipped", "skipped"]);
    }
  });

  test("libraries when libxbind is missing, foreign, or at a path with a space", async () => {
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
    using dir = tempDir();
    const env = { XSOCKET_LIBDIR: dir.path };
    copyFileSync(libraryPath("xsocket"), dir.join("libxsocket.so"));
    expectOnly(
      await examine([server.path, "--", "true"], { env }),
      "libraries",
      /libxbind.so was not found/,
      /build/,
    );

    copyFileSync(libraryPath("xbind"), dir.join("libxbind.so"));
    const other = `printf '\\363\\0' | dd of=libxbind.so bs=1 seek=18 conv=notrunc status=none`;
    await here.run(["sh", "-c", other], { cwd: dir.path });
    expectOnly(
      await examine([server.path], { env }),
      "libraries",
      /RISC-V/,
      /reinstall.*XSOCKET_LIBDIR/,
    );

    mkdirSync(dir.join("a b"));
    for (const name of ["xsocket", "xbind"] as const)
      copyFileSync(libraryPath(name), dir.join(`a b/lib${name}.so`));
    const spaced = await examine([server.path], { env: { XSOCKET_LIBDIR: dir.join("a b") } });
    expectOnly(spaced, "libraries", /cannot be preloaded/, /./);
  });

  test("libraries when one is unreadable, empty, or of another version", async () => {
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
    using dir = tempDir();
    const env = { XSOCKET_LIBDIR: dir.path };
    for (const name of ["xsocket", "xbind"] as const)
      copyFileSync(libraryPath(name), dir.join(`lib${name}.so`));
    chmodSync(dir.join("libxbind.so"), 0);
    const unread = await examine([server.path], { env, start: HELD_TO_MODES });
    expectOnly(unread, "libraries", /may not read .*libxbind\.so/, /chmod a\+r .*libxbind\.so/);

    chmodSync(dir.join("libxbind.so"), 0o644);
    writeFileSync(dir.join("libxbind.so"), "");
    const none = await examine([server.path], { env });
    expectOnly(none, "libraries", /libxbind\.so is not a library/, /reinstall.*XSOCKET_LIBDIR/);

    copyFileSync(libraryPath("xbind"), dir.join("libxbind.so"));
    copyFileSync(libraryPath("xbind"), dir.join("libxsocket.so"));
    const other = await examine([server.path], { env });
    expectOnly(other, "libraries", /libxsocket\.so cannot be loaded \(.*xs1_/, /this version/);
  });

  test("libraries when libxsocket is missing, since nothing else can be tried", async () => {
    using dir = tempDir();
    const env = { XSOCKET_LIBDIR: dir.path };
    const rows = await examine(["/nowhere/control"], { env });
    expect(rows.map(({ name }) => name)).toEqual(["libraries", ...BASE]);
    const withPort = await examine(["/nowhere/control", "--port", "3000"], { env });
    expect(withPort.map(({ name }) => name)).toEqual(["libraries", ...BASE, ...PORT]);
    const remedy = /dev build.*@xsocket\/native-linux/;
    expectOnly(rows, "libraries", /libxsocket.so was not found/, remedy);
  });

  test("port-free for a port in use", async () => {
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
    const open = [XSOCKET, "open", server.path, "--port", "8080", "--exec", "sleep", "60"];
    await using holder = here.spawn(open);
    await eventually("port 8080 to open", () => target.listens("tcp", 8080));
    const rows = await examine([server.path, "--port", "8080"]);
    expectOnly(rows, "port-free", /EADDRINUSE for TCP/, /ss -lntup.*--port 8081:8080$/);
    expect(rows.at(-1)).toMatchObject({ name: "port-firewall", status: "skipped" });
    expect(
      (await examine([server.path, "--port", "udp/8080"])).some((row) => row.status === "failed"),
    ).toBe(false);
    expect(holder.stderr).toBe("");
  });

  test("port-privilege for a port that this user may not bind", async () => {
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
    // the owner of the target may bind it, except from a user namespace below
    const start = isRoot ? ["setpriv", "--bounding-set=-net_bind_service"] : ["unshare", "--user"];
    const rows = await examine([server.path, "--port", "80"], { start });
    expectOnly(rows, "port-privilege", /may not bind port 80.*EACCES/, /8080:80/);
  });

  test("port-privilege for a port that the unit denies", async () => {
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
    const start = refusing("bind", 2, 16, "EPERM"); // as SocketBindDeny=ipv4 does
    const rows = await examine([server.path, "--port", "3000"], { start });
    const found = /may not bind port 3000: EPERM for TCP over IPv4, EPERM for UDP over IPv4$/;
    expectOnly(rows, "port-privilege", found, /SocketBindAllow=/);
  });

  test("port-firewall for a port that a rule in the target drops", async () => {
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
    const nft = `add table inet t; add chain inet t i { type filter hook input priority 0; }; add rule inet t i tcp dport 3000 drop`;
    expect(await target.run(["nft", nft])).toMatchObject({ code: 0, stderr: "" });
    const rows = await examine([server.path, "--port", "3000"]);
    expectOnly(
      rows,
      "port-firewall",
      /TCP to port 3000 is dropped/,
      /nft list ruleset.*IPAddressDeny=/,
    );
    expect(
      (await examine([server.path, "--port", "3001"])).some((row) => row.status === "failed"),
    ).toBe(false);
    await target.run(["ip", "link", "set", "lo", "down"]);
    const down = await examine([server.path, "--port", "3001"]);
    expectOnly(down, "port-firewall", /TCP and UDP to port 3001 are dropped/, /lo is up there$/);
  });

  test("program for one that is missing or cannot be preloaded", async () => {
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
    using dir = tempDir();
    writeFileSync(dir.join("p.c"), "int main(void) { return 0; }\n");
    await here.run(["gcc", "-static", "-o", "p", "p.c"], { cwd: dir.path });
    const rows = await examine([server.path, "--", dir.join("p")]);
    expectOnly(rows, "program", /statically linked/, /xsocket open --exec/);
    const missing = await examine([server.path, "--", "no-such-program"]);
    expectOnly(missing, "program", /no-such-program/, /PATH/);
    const start = ["bash", "-c", String.raw`exec "$@" $'./\xff'`, "bash"]; // Bun.spawn cannot pass it
    const unnamed = (await examine([server.path, "--"], { start })).find(isOfProgram);
    expect(unnamed).toMatchObject({ status: "skipped", found: expect.stringMatching(/UTF-8/) });
  });
});
