/* What doctor reports of namespaces, ports, libraries and programs. */
import { describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { libraryPath } from "@xsocket/xbind-native";
import {
  createNamespace,
  eventually,
  hasCookies,
  hasIpv6,
  HELD_TO_MODES,
  here,
  isRoot,
  knowsIpv6,
  refusing,
  startServer,
  tempDir,
  XSOCKET,
} from "../harness/index.ts";
import { BASE, expectOnly, examine, isToBe, PORT, rowOf } from "./examine.ts";

describe("doctor reports", () => {
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
      expect(rowOf(rows, "namespace").status).toBe("warning");
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
    const args = ["--sockets-per-minute", String(quota)];
    await using server = await startServer({ place: "own", args });
    const rows = await examine([server.path, "--port", "tcp/3000"]);
    const broken = rows.filter(({ status }) => status === "failed");
    expect(broken.map(({ name }) => name)).toEqual(names);
    for (const { found } of broken) expect(found).toContain("EPERM");
  });

  test("no port as failed when the policy denies the sockets for it", async () => {
    for (const [key, expected] of [
      ['family = "inet"', ["ok", "ok", "skipped"]],
      ['type = "stream"', ["skipped", "skipped", "skipped"]],
    ] as const) {
      const policy = `[[rule]]\naction = "deny"\n${key}\n[[rule]]\naction = "allow"\n`;
      await using server = await startServer({ place: "own", policy });
      const rows = await examine([server.path, "--port", "tcp/3000"]);
      const ofPort = rows.filter(({ name }) => PORT.includes(name)).map(({ status }) => status);
      expect(ofPort, key).toEqual(knowsIpv6 ? [...expected] : ["skipped", "skipped", "skipped"]);
    }
  });

  test("libraries when libxbind is missing, foreign, or at a path with a colon and a space", async () => {
    await using server = await startServer({ place: "own" });
    using dir = tempDir();
    const env = { XSOCKET_LIBDIR: dir.path };
    copyFileSync(libraryPath("xsocket"), dir.join("libxsocket.so"));
    expectOnly(
      await examine([server.path, "--", "true"], { env }),
      "libraries",
      /libxbind.so was not found/,
      /correct XSOCKET_LIBDIR/,
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

    mkdirSync(dir.join("a: b"));
    for (const name of ["xsocket", "xbind"] as const)
      copyFileSync(libraryPath(name), dir.join(`a: b/lib${name}.so`));
    const spaced = await examine([server.path], { env: { XSOCKET_LIBDIR: dir.join("a: b") } });
    expectOnly(spaced, "libraries", /a: b.* cannot be preloaded/, /^move xsocket/);
  });

  test("libraries when one is unreadable, empty, or of another version", async () => {
    await using server = await startServer({ place: "own" });
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

  test("libraries when libxsocket is cut off, whose pages nobody can load", async () => {
    using dir = tempDir();
    const env = { XSOCKET_LIBDIR: dir.path };
    copyFileSync(libraryPath("xbind"), dir.join("libxbind.so"));
    const half = await Bun.file(libraryPath("xsocket")).bytes();
    writeFileSync(dir.join("libxsocket.so"), half.subarray(0, half.length / 2));
    const rows = await examine(["/nowhere/control"], { env });
    expectOnly(rows, "libraries", /libxsocket\.so is not a library, or only a part/, /reinstall/);
  });

  test("libraries when libxsocket is missing, since nothing else can be tried", async () => {
    using dir = tempDir();
    const env = { XSOCKET_LIBDIR: dir.path };
    const rows = await examine(["/nowhere/control"], { env });
    expect(rows.map(({ name }) => name)).toEqual(["libraries", ...BASE]);
    const withPort = await examine(["/nowhere/control", "--port", "3000"], { env });
    expect(withPort.map(({ name }) => name)).toEqual(["libraries", ...BASE, ...PORT]);
    expectOnly(rows, "libraries", /libxsocket.so was not found/, /correct XSOCKET_LIBDIR/);
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
    await using server = await startServer({ place: "own" });
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
    await using server = await startServer({ place: "own" });
    using dir = tempDir();
    writeFileSync(dir.join("p.c"), "int main(void) { return 0; }\n");
    await here.run(["gcc", "-static", "-o", "p", "p.c"], { cwd: dir.path });
    const rows = await examine([server.path, "--", dir.join("p")]);
    expectOnly(rows, "program", /statically linked/, /xsocket open --exec/);
    const missing = await examine([server.path, "--", "no-such-program"]);
    expectOnly(missing, "program", /no-such-program/, /PATH/);
    const start = ["bash", "-c", String.raw`exec "$@" $'./\xff'`, "bash"]; // Bun.spawn cannot pass it
    const unnamed = rowOf(await examine([server.path, "--"], { start }), "program");
    expect(unnamed).toMatchObject({ status: "skipped", found: expect.stringMatching(/UTF-8/) });
  });
});
