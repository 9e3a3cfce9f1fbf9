import { expect, test } from "bun:test";
import { chmodSync, copyFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { libraryPath, SO_PEERPIDFD } from "@xsocket/xbind-native";
import {
  createNamespace,
  eventually,
  hasCookies,
  hasIpv6,
  HELD_TO_MODES,
  here,
  isContained,
  isRoot,
  OWN_MACHINE,
  OWN_MOUNTS,
  refusing,
  socketUnit,
  startServer,
  tempDir,
  XSOCKET,
} from "../harness/index.ts";
import { BASE, examine, isToBe, PORT, rowOf } from "./examine.ts";

/* Refuses IPv6 sockets as a kernel without IPv6 does. */
test.skipIf(!hasCookies)(
  "skips IPv6 if this kernel lacks it, and fails if only the server's does",
  async () => {
    const kernel = refusing("socket", 0, 10, "EAFNOSUPPORT");
    await using server = await startServer({ place: "own", before: kernel });
    const rows = await examine([server.path, "--port", "3000"], { start: kernel });
    expect(rows.filter(({ status }) => status !== "ok")).toEqual([
      { name: "tcp6", status: "skipped", found: "needs IPv6, which this kernel lacks" },
      { name: "udp6", status: "skipped", found: "needs IPv6, which this kernel lacks" },
    ]);
    if (!hasIpv6) return;
    const other = await examine([server.path]);
    const broken = other.filter(({ status }) => status === "failed");
    expect(broken.map(({ name }) => name)).toEqual(["tcp6", "udp6"]);
  },
);

test("names a program by its absolute path", async () => {
  using dir = tempDir();
  copyFileSync("/bin/true", dir.join("program"));
  const rows = await examine(["@nobody", "--", "./program"], { start: ["env", "-C", dir.path] });
  const { found } = rowOf(rows, "program");
  expect(found).toBe(`${dir.join("program")} can be preloaded`);
});

test("quotes the path in a remedy for the shell", async () => {
  using dir = tempDir();
  const odd = dir.join("it's a $HOME");
  const path = `${odd}/control`;
  /* The last argument in the only remedy, as a shell parses it. */
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

test.skipIf(!hasCookies)(
  "reports every row as ok and exits with 0 when nothing is wrong",
  async () => {
    const args = ["--max-connections-per-user", "1"];
    await using server = await startServer({ place: "own", args });
    const ports = ["--port", "3000", "--port", "tcp/3000"]; // the first check leaves the port free
    // at times the server sees a connection before the end of the previous one
    const rows = await eventually("rows that are all ok", async () => {
      const found = await examine([server.path, ...ports, "--", "sh"]);
      return found.every(({ name, status }) => status === "ok" || !isToBe(name)) && found;
    });
    expect(rows.map(({ name }) => name)).toEqual([
      "libraries",
      "program",
      ...BASE,
      ...PORT,
      ...PORT,
    ]);
    const found = (name: string) => rowOf(rows, name).found;
    const [pid, uid] = [server.program.pid, process.geteuid?.()];
    expect(found("server")).toBe(`process ${pid} of uid ${uid} listens`);
    expect(found("program")).toMatch(/^\/\S+ can be preloaded$/);
  },
);

/* As in a container with the socket of a server outside. */
test.skipIf(isContained)(
  "names a server of another PID namespace without a process number",
  async () => {
    await using server = await startServer();
    const rows = await examine([server.path], { start: OWN_MACHINE });
    const { status, found } = rowOf(rows, "server");
    expect(status).toBe("ok");
    expect(found).toMatch(/^a process of another PID namespace, of uid \d+, listens$/);
  },
);

test.each([
  ["", []],
  [" before Linux 6.5", refusing("getsockopt", 2, SO_PEERPIDFD, "ENOPROTOOPT")],
])("names systemd as the holder of a unit's socket%s", async (_, start) => {
  using dir = tempDir();
  const path = dir.join("s");
  await using unit = await socketUnit(dir, path);
  const rows = await examine([path], { start });
  expect(rowOf(rows, "server").found).toBe(
    `process ${unit.pid} (systemd, for a socket unit) of uid ${process.geteuid?.()} listens`,
  );
});

/* What the row "libraries" says when the loader searches a directory first. */
async function librariesFound(LD_LIBRARY_PATH: string): Promise<string> {
  const rows = await examine(["/nowhere/control"], { env: { LD_LIBRARY_PATH } });
  return rowOf(rows, "libraries").found;
}

test("says which file LD_PRELOAD=libxbind.so would load", async () => {
  using dir = tempDir();
  const [ours, another] = [libraryPath("xbind"), dir.join("libxbind.so")];
  copyFileSync(ours, another);
  const both = `${libraryPath("xsocket")} and ${ours}`;
  expect(await librariesFound(dirname(ours))).toBe(both);
  symlinkSync(dirname(ours), dir.join("link")); // as /lib links to /usr/lib
  expect(await librariesFound(dir.join("link"))).toBe(both);
  const instead = `${both}; LD_PRELOAD=libxbind.so finds ${another} instead`;
  expect(await librariesFound(dir.path)).toBe(instead);
  rmSync(another);
  await here.run(["mkfifo", another]); // the loader would wait for its writer
  expect(await librariesFound(dir.path)).toBe(both);
  // a machine may have one installed
  const either = / finds (none, so give the path there|\/.* instead)$/;
  expect(await librariesFound("")).toMatch(either);
});

test("prints a line for each row with its remedy below, without colour in a pipe", async () => {
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

test.skipIf(!isRoot || !hasCookies)(
  "names a namespace that the user may not inspect by its cookie",
  async () => {
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
    const start = ["setpriv", "--bounding-set=-net_admin"];
    const rows = await examine([server.path], { start });
    const cookie = await target.cookie();
    expect(rowOf(rows, "namespace").found).toStartWith(
      `the sockets are of a namespace that this user is not allowed to inspect, cookie ${cookie}; this `,
    );
  },
);

test("skips the namespace on a kernel without network namespaces", async () => {
  await using server = await startServer();
  const without = 'mount -t tmpfs none "/proc/$$/ns" && exec "$@"';
  const rows = await examine([server.path], { start: [...OWN_MOUNTS, "sh", "-c", without, "sh"] });
  expect(rows.filter(({ name, status }) => isToBe(name) && status !== "ok")).toEqual([
    {
      name: "namespace",
      status: "skipped",
      found: "needs network namespaces, which this kernel lacks",
    },
  ]);
});

test.skipIf(!hasCookies)("names both namespaces by number and cookie", async () => {
  await using target = await createNamespace();
  await using server = await startServer({ place: target });
  const { found } = rowOf(await examine([server.path]), "namespace");
  expect(found).toContain(`cookie ${await target.cookie()}; this process is in net:[`);
  expect(found).toContain(`cookie ${await here.cookie()}`);
});

test("judges a script by its interpreter through nested scripts", async () => {
  using dir = tempDir();
  for (const [name, line] of [
    ["one", "#!/bin/sh"],
    ["two", `#!${dir.join("one")}`],
  ] as const) {
    writeFileSync(dir.join(name), `${line}\n`);
    chmodSync(dir.join(name), 0o755);
  }
  const rows = await examine(["/nowhere/control", "--", dir.join("two")]);
  const { status, found } = rowOf(rows, "program");
  expect(status).toBe("ok");
  expect(found).toMatch(/two is a script, and its interpreter \/.*sh can be preloaded/);
});

test("judges a program together with its arguments", async () => {
  const rows = await examine(["/nowhere/control", "--", "env", "-i", "true"]);
  const { found } = rowOf(rows, "program");
  expect(found).toContain("it drops LD_PRELOAD");
});

test("escapes control characters from the first line of a script", async () => {
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
