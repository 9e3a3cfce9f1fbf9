import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { libraryPath, loadSyscalls } from "@xsocket/xbind-native";
import {
  createNamespace,
  eventually,
  guardDescriptors,
  hasCookies,
  hasIpv6,
  here,
  type Place,
  type RunOptions,
  startServer,
  tempDir,
} from "../harness/index.ts";
import { silentServer } from "../sdk/silent.ts";
import { HELD_TO_MODES, XSOCKET } from "./command.ts";

guardDescriptors();

interface Row {
  readonly name: string;
  readonly status: "ok" | "warning" | "failed" | "skipped";
  readonly found: string;
  readonly remedy?: string;
}

const BASE = ["socket", "permission", "server", "tcp4", "udp4", "tcp6", "udp6", "namespace"];
const PORT = ["port-free", "port-privilege", "port-firewall"];

interface Examination {
  readonly place?: Place;
  readonly start?: readonly string[];
  readonly env?: RunOptions["env"];
}

async function examine(
  argv: readonly string[],
  { place = here, start = [], env = {} }: Examination = {},
) {
  const command = [...start, XSOCKET, "doctor", "--json", ...argv];
  const { code, stdout, stderr } = await place.run(command, { env });
  expect(stderr).toBe("");
  const { ok, checks }: { ok: boolean; checks: Row[] } = JSON.parse(stdout);
  expect(code).toBe(ok ? 0 : 1);
  expect(ok).toBe(checks.every(({ status }) => status === "ok" || status === "skipped"));
  return checks;
}

const isOfProgram = ({ name }: Row): boolean => name === "program";

/* Not on a kernel without IPv6. */
const isToBe = (name: string): boolean => hasIpv6 || !name.endsWith("6");

/* That this row fails, no other does, and it says what and what to do. */
function expectOnly(rows: readonly Row[], name: string, found: RegExp, remedy: RegExp): void {
  const broken = rows.filter(({ status }) => status === "failed" || status === "warning");
  expect(broken.map((row) => row.name)).toEqual([name]);
  expect(broken[0]?.found).toMatch(found);
  expect(broken[0]?.remedy).toMatch(remedy);
}

/* What to put before a command so that a system call is refused to it where one argument has one value. */
const refusing = (...refused: string[]): string[] => [
  "python3",
  join(import.meta.dir, "refuse.py"),
  ...refused,
];

/* As of a kernel without IPv6. */
test("a family that this kernel has not is nobody's mistake, one that the server may not make is", async () => {
  const kernel = refusing("socket", "0", "10", "EAFNOSUPPORT");
  using dir = tempDir();
  await using target = await createNamespace();
  await using server = target.spawn([...kernel, XSOCKET, "serve", dir.join("control")]);
  await server.says(/serving at/);
  const rows = await examine([dir.join("control"), "--port", "3000"], { start: kernel });
  expect(rows.filter(({ status }) => status !== "ok")).toEqual([
    { name: "tcp6", status: "skipped", found: "needs IPv6, which this kernel has not" },
    { name: "udp6", status: "skipped", found: "needs IPv6, which this kernel has not" },
  ]);
  if (!hasIpv6) return;
  const other = await examine([dir.join("control")]);
  const broken = other.filter(({ status }) => status === "failed");
  expect(broken.map(({ name }) => name)).toEqual(["tcp6", "udp6"]);
});

test("a remedy can be typed as it stands, whatever the path", async () => {
  using dir = tempDir();
  const odd = dir.join("it's a $HOME");
  const path = `${odd}/control`;
  /* What a shell makes of the last word of the only remedy. */
  const typed = async (start: readonly string[] = []) => {
    const rows = await examine([path], { start });
    const [remedy = ""] = rows.flatMap((row) => row.remedy ?? []);
    const words = /(?:serve|setfacl -m \S+) (.*)$/s.exec(remedy)?.[1] ?? "";
    return (await here.run(["sh", "-c", `printf '<%s>' ${words}`])).stdout;
  };
  mkdirSync(odd);
  expect(await typed()).toBe(`<${path}>`);
  chmodSync(odd, 0);
  expect(await typed(HELD_TO_MODES)).toBe(`<${odd}>`);
  chmodSync(odd, 0o700);
  const run = [XSOCKET, "run", "--port", "1", "--socket", path, "--", "true"];
  const [, words] = /"xsocket serve (.*)"/.exec((await here.run(run)).stderr) ?? [];
  expect((await here.run(["sh", "-c", `printf '<%s>' ${words}`])).stdout).toBe(`<${path}>`);
});

test("all is well where all is well: every row is ok, and the exit code is 0", async () => {
  await using target = await createNamespace();
  const args = ["--max-connections-per-user", "1"];
  await using server = await startServer({ place: target, args });
  const ports = ["--port", "3000", "--port", "tcp/3000"]; // the first leaves it free
  const rows = await examine([server.path, ...ports, "--", "sh"]);
  expect(rows.map(({ name }) => name)).toEqual(["libraries", "program", ...BASE, ...PORT, ...PORT]);
  expect(rows.filter(({ name, status }) => status !== "ok" && isToBe(name))).toEqual([]);
  const found = (name: string) => rows.find((row) => row.name === name)?.found;
  const [pid, uid] = [server.program.pid, process.geteuid?.()];
  expect(found("server")).toBe(`process ${pid} of uid ${uid} listens`);
  expect(found("program")).toMatch(/^\/\S+ can be preloaded$/);
});

test("the table has a line for each row and the remedy below, without colour in a pipe", async () => {
  const { code, stdout } = await here.run([XSOCKET, "doctor", "/nowhere/control"]);
  expect(code).toBe(1);
  expect(stdout).toMatch(
    /^FAILED {3}socket +\/nowhere\/control does not exist\n +-> .*xsocket serve/m,
  );
  expect(stdout).toMatch(/^ok {7}libraries/m);
  const [, socket = "", remedy = ""] = stdout.split("\n");
  expect(remedy.indexOf("->")).toBe(socket.indexOf("/nowhere"));
  expect(stdout).toMatch(/^- {8}permission +there is nothing to open$/m);
  expect(stdout).toMatch(/^- {8}tcp4 +needs a server$/m);
  expect(stdout).not.toContain("\u001b");
});

describe("the row that fails is", () => {
  test("socket: there is none, something else, or a link to nothing", async () => {
    using dir = tempDir();
    expectOnly(await examine([dir.join("control")]), "socket", /does not exist/, /xsocket serve/);
    writeFileSync(dir.join("plain"), "");
    expectOnly(await examine([dir.join("plain")]), "socket", /is no socket/, /xsocket serve/);
    symlinkSync("nothing", dir.join("link"));
    expectOnly(
      await examine([dir.join("link")]),
      "socket",
      /link to nothing/,
      /rm .*xsocket serve/,
    );
    const within = dir.join("plain/control");
    expectOnly(await examine([within]), "socket", /is no directory/, /xsocket serve PATH/);
  });

  test("socket: an abstract name is used across namespaces", async () => {
    await using target = await createNamespace();
    const name = `@xsocket-doctor-${process.pid}@x`;
    await using server = await startServer({ place: target, path: name });
    const rows = await examine([server.path]);
    expectOnly(rows, "socket", /in this network namespace/, /abstract names.*listen at a path/);
    const within = await examine([name], { place: target });
    expect(within.filter((row) => row.status !== "ok" && isToBe(row.name))).toEqual([]);
    for (const part of [name.slice(0, -2), "@x"])
      expectOnly(await examine([part], { place: target }), "socket", /there is no @/, /./);
  });

  test("permission: a directory on the way refuses, and is named", async () => {
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

  test("permission: the socket itself refuses", async () => {
    await using target = await createNamespace();
    await using server = await startServer({ place: target, args: ["--mode", "0400"] });
    const rows = await examine([server.path], { start: HELD_TO_MODES });
    expectOnly(rows, "permission", /socket .*\(sr--------/, /--group or --mode/);
  });

  test("server: it has gone and left its socket", async () => {
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
    server.program.kill("SIGKILL");
    await server.program.exited;
    const remedy = /xsocket serve.*; if it runs, a container .* directory, not the file/;
    expectOnly(await examine([server.path]), "server", /ECONNREFUSED/, remedy);
  });

  test("server: a socket of another kind is there, or one whose server takes nobody", async () => {
    using dir = tempDir();
    using other = Bun.listen({ unix: dir.join("stream"), socket: { data() {} } });
    expect(other).toBeDefined();
    const rows = await examine([dir.join("stream")]);
    expectOnly(rows, "server", /EPROTOTYPE/, /another program's socket/);

    const path = dir.join("control");
    using silent = silentServer(path, 0);
    const native = loadSyscalls();
    const waiting = native.handoverConnect(path, 0);
    expectOnly(await examine([path]), "server", /ETIMEDOUT/, /takes no connections/);
    for (const fd of [waiting, native.accept(silent.fd)]) native.close(fd);
  });

  test.each([
    ["EAFNOSUPPORT", /may make no UNIX sockets.*RestrictAddressFamilies=/],
    ["EMFILE", /says EMFILE: see docs/],
  ])("server: this process may make no socket to ask by (%s)", async (code, remedy) => {
    await using server = await startServer();
    const rows = await examine([server.path], { start: refusing("socket", "0", "1", code) });
    expectOnly(rows, "server", new RegExp(`\\(${code}\\)$`), remedy);
  });

  test.skipIf(process.geteuid?.() !== 0)(
    "server: an abstract name is held by somebody else",
    async () => {
      const name = `@xsocket-doctor-${process.pid}`;
      const listen = `import socket, sys\ns = socket.socket(socket.AF_UNIX, 5)\ns.bind(chr(0) + "${name.slice(1)}")\ns.listen()\nprint("listens", flush=True)\nsys.stdin.read()`;
      const argv = ["setpriv", "--reuid=4201", "--clear-groups", "python3", "-c", listen];
      await using other = here.spawn(argv, { stdin: "pipe", env: { PATH: "/usr/bin:/bin" } });
      await other.says(/listens/);
      const remedy = /neither root's nor this user's.*XSOCKET_ANY_SERVER/;
      expectOnly(await examine([name]), "server", /EACCES/, remedy);
    },
  );

  test("tcp4: a stopped server listens and does not answer, and is asked once", async () => {
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
    server.program.kill("SIGSTOP");
    const rows = await examine([server.path, "--port", "3000", "--port", "3001"]);
    server.program.kill("SIGCONT");
    expect(rows.find(({ name }) => name === "server")?.found).toMatch(/ listens$/);
    expectOnly(
      rows,
      "tcp4",
      /did not answer in time/,
      /^See whether the server is stopped or overloaded\.$/,
    );
    expect(rows.map(({ name }) => name)).toEqual(["libraries", ...BASE, ...PORT, ...PORT]);
  }, 20_000);

  test.each([
    ["tcp4", "inet", "stream"],
    ["udp4", "inet", "dgram"],
    ["tcp6", "inet6", "stream"],
    ["udp6", "inet6", "dgram"],
  ])("%s: the policy has no such socket", async (name, family, type) => {
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
  });

  test("tcp4: an abstract name is for root and the server's user, who may let others in", async () => {
    await using server = await startServer({
      path: `@xsocket-doctor-${process.pid}`,
      args: ["--allow-user", "12345"],
    });
    const row = (await examine([server.path])).find(({ name }) => name === "tcp4");
    expect(row).toMatchObject({ status: "failed", found: expect.stringMatching(/\(EPERM\)$/) });
    expect(row?.remedy).toMatch(/abstract name.* root .*--allow-user.* path/);
  });

  test("namespace: the server is in this one, which only a word of the user makes right", async () => {
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
  });

  test.each([
    [4, ["namespace", "port-free"]],
    [5, ["port-free"]],
    [7, ["port-firewall"]],
    [8, ["port-firewall"]],
    [9, []],
  ])("of %d sockets in a minute: those that it gets no socket for", async (quota, names) => {
    await using target = await createNamespace();
    const args = ["--sockets-per-minute", String(quota)];
    await using server = await startServer({ place: target, args });
    const rows = await examine([server.path, "--port", "tcp/3000"]);
    const broken = rows.filter(({ status }) => status === "failed");
    expect(broken.map(({ name }) => name)).toEqual(names);
    for (const { found } of broken) expect(found).toContain("EPERM");
  });

  test("none where no kind of socket that the port is of is given", async () => {
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

  test("libraries: libxbind is missing, of another machine, or at a path with a space", async () => {
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
    using dir = tempDir();
    const env = { XSOCKET_LIBDIR: dir.path };
    copyFileSync(libraryPath("xsocket"), dir.join("libxsocket.so"));
    expectOnly(
      await examine([server.path], { env }),
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
      /anew.*XSOCKET_LIBDIR/,
    );

    mkdirSync(dir.join("a b"));
    for (const name of ["xsocket", "xbind"] as const)
      copyFileSync(libraryPath(name), dir.join(`a b/lib${name}.so`));
    const spaced = await examine([server.path], { env: { XSOCKET_LIBDIR: dir.join("a b") } });
    expectOnly(spaced, "libraries", /cannot be preloaded/, /./);
  });

  test("libraries: one may not be read, is none, or is of another version", async () => {
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
    expectOnly(none, "libraries", /libxbind\.so is no library/, /anew.*XSOCKET_LIBDIR/);

    copyFileSync(libraryPath("xbind"), dir.join("libxbind.so"));
    copyFileSync(libraryPath("xbind"), dir.join("libxsocket.so"));
    const other = await examine([server.path], { env });
    expectOnly(other, "libraries", /libxsocket\.so cannot be loaded \(.*xs1_/, /this version/);
  });

  test("libraries: without libxsocket nothing else can be tried", async () => {
    using dir = tempDir();
    const env = { XSOCKET_LIBDIR: dir.path };
    const rows = await examine(["/nowhere/control"], { env });
    expect(rows.map(({ name }) => name)).toEqual(["libraries", ...BASE]);
    const withPort = await examine(["/nowhere/control", "--port", "3000"], { env });
    expect(withPort.map(({ name }) => name)).toEqual(["libraries", ...BASE, ...PORT]);
    const remedy = /dev build.*@xsocket\/native-linux/;
    expectOnly(rows, "libraries", /libxsocket.so was not found/, remedy);
  });

  test("port-free: another program has it", async () => {
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

  test("port-privilege: this user may not bind it", async () => {
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
    const isRoot = process.geteuid?.() === 0;
    // the owner of the target may, unless within a user namespace of its own
    const start = isRoot ? ["setpriv", "--bounding-set=-net_bind_service"] : ["unshare", "--user"];
    const rows = await examine([server.path, "--port", "80"], { start });
    expectOnly(rows, "port-privilege", /may not bind port 80.*EACCES/, /8080:80/);
  });

  test("port-firewall: a rule of the target drops it", async () => {
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
    const nft = `add table inet t; add chain inet t i { type filter hook input priority 0; }; add rule inet t i tcp dport 3000 drop`;
    expect(await target.run(["nft", nft])).toMatchObject({ code: 0, stderr: "" });
    const rows = await examine([server.path, "--port", "3000"]);
    expectOnly(rows, "port-firewall", /TCP to port 3000 is dropped/, /nft list ruleset/);
    expect(
      (await examine([server.path, "--port", "3001"])).some((row) => row.status === "failed"),
    ).toBe(false);
    await target.run(["ip", "link", "set", "lo", "down"]);
    const down = await examine([server.path, "--port", "3001"]);
    expectOnly(down, "port-firewall", /TCP and UDP to port 3001 are dropped/, /its lo is up$/);
  });

  test("program: it cannot be preloaded, or is not there", async () => {
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
    using dir = tempDir();
    writeFileSync(dir.join("p.c"), "int main(void) { return 0; }\n");
    await here.run(["gcc", "-static", "-o", "p", "p.c"], { cwd: dir.path });
    const rows = await examine([server.path, "--", dir.join("p")]);
    expectOnly(rows, "program", /statically linked/, /xsocket open --exec/);
    const missing = await examine([server.path, "--", "no-such-program"]);
    expectOnly(missing, "program", /no-such-program/, /PATH/);
    const start = ["bash", "-c", String.raw`exec "$@" $'./\xff'`, "bash"]; // only a shell can spell it here
    const unnamed = (await examine([server.path, "--"], { start })).find(isOfProgram);
    expect(unnamed).toMatchObject({ status: "skipped", found: expect.stringMatching(/UTF-8/) });
  });
});

test.each([
  ["Linux has no cookies", ["getsockopt", "2", "71", "ENOPROTOOPT"]],
  ["this process may make no socket", ["socket", "0", "2", "EACCES"]],
])("namespaces are not compared where %s", async (_, refused) => {
  await using target = await createNamespace();
  await using server = await startServer({ place: target });
  const rows = await examine([server.path], { start: refusing(...refused) });
  expect(rows.find(({ name }) => name === "namespace")?.status).toBe("skipped");
});

test.skipIf(process.geteuid?.() !== 0 || !hasCookies)(
  "a namespace that the user may not see has a cookie",
  async () => {
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
    const start = ["setpriv", "--bounding-set=-net_admin"];
    const rows = await examine([server.path], { start });
    const cookie = await target.cookie();
    expect(rows.find(({ name }) => name === "namespace")?.found).toStartWith(
      `the sockets are of a namespace that this user may not look into, cookie ${cookie}; this `,
    );
  },
);

test.skipIf(!hasCookies)("the namespaces are told by number and cookie", async () => {
  await using target = await createNamespace();
  await using server = await startServer({ place: target });
  const { found } = (await examine([server.path])).find(({ name }) => name === "namespace") ?? {};
  expect(found).toContain(`cookie ${await target.cookie()}; this process is in net:[`);
  expect(found).toContain(`cookie ${await here.cookie()}`);
});

test("a script is judged by its interpreter, through any number of scripts, and the row says so", async () => {
  using dir = tempDir();
  for (const [name, line] of [
    ["one", "#!/bin/sh"],
    ["two", `#!${dir.join("one")}`],
  ] as const) {
    writeFileSync(dir.join(name), `${line}\n`);
    chmodSync(dir.join(name), 0o755);
  }
  const rows = await examine(["/nowhere/control", "--", dir.join("two")]);
  const { status, found } = rows.find(({ name }) => name === "program") ?? {};
  expect(status).toBe("ok");
  expect(found).toMatch(/two is a script, and its interpreter \/.*sh can be preloaded/);
});

test("the words of a script that a stranger wrote do not move the cursor, nor turn a line round", async () => {
  using dir = tempDir();
  const script = dir.join("script");
  writeFileSync(script, "#!/none\u001B[2J\u009B2J\u202Ex\n", { mode: 0o755 });
  const doctor = [XSOCKET, "doctor", dir.join("none")];
  for (const argv of [
    [...doctor, "--", script],
    [...doctor, "--json", "--", script],
    [XSOCKET, "run", "--port", "3000", "--", script],
  ]) {
    const { stdout, stderr } = await here.run(argv);
    expect(stdout + stderr).toContain("its interpreter /none");
    for (const control of "\u001B\u009B\u202E") expect(stdout + stderr).not.toContain(control);
  }
  const { stdout } = await here.run([...doctor, "--json", "--", script]);
  expect(stdout).toContain("/none\\u001b[2J\\u009b2J\\u202ex is missing");
});

test.each(["http", "0", "65536", "53/udp"])("a port that is none is misuse: %s", async (port) => {
  const { code, stderr } = await here.run([XSOCKET, "doctor", "--port", port]);
  expect(code).toBe(2);
  expect(stderr).toStartWith(`xsocket: "${port}" is no port`);
  expect(stderr.split("\n")).toHaveLength(2);
});
