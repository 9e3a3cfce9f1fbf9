import { expect, test } from "bun:test";
import { existsSync, readFileSync, readlinkSync, statSync, symlinkSync } from "node:fs";
import { xsocketSync } from "@xsocket/client";
import {
  createNamespace,
  eventually,
  here,
  isContained,
  START,
  startServer,
  tempDir,
  XSOCKET,
} from "../harness/index.ts";

const RUN = [XSOCKET, "run", "--port", "3000", "--socket"];

test.each(["SIGTERM", "SIGINT"] as const)(
  "serve prints its path, hands out sockets and ends on %s",
  async (signal) => {
    using dir = tempDir();
    const path = dir.join("control");
    await using server = here.spawn([XSOCKET, "serve", path]);
    expect((await server.says(/serving at (.*)/))[1]).toBe(path);
    expect(readFileSync(`/proc/${server.pid}/comm`, "utf8")).toBe("xsocket\n"); // for pgrep(1), and logs
    expect(statSync(path).mode & 0o777).toBe(0o660);
    using socket = xsocketSync({ via: path, type: "dgram" });
    expect(socket.fd).toBeGreaterThan(2);
    server.kill(signal);
    expect(await server.finished()).toBe(0);
    expect(existsSync(path)).toBe(false);
    expect(server.stdout).toBe("");
  },
);

test("opens closed standard descriptors to /dev/null", async () => {
  using dir = tempDir();
  const path = dir.join("control");
  const script = 'exec "$@" serve "$0" --log-level debug <&- >&- 2>&-';
  await using server = here.spawn(["sh", "-c", script, path, XSOCKET]);
  await eventually("the server", () => here.listensAt(path));
  const standard = () => [0, 1, 2].map((fd) => readlinkSync(`/proc/${server.pid}/fd/${fd}`));
  for (let i = 0; i < 20; i++) xsocketSync({ via: path }).close();
  expect(standard()).toEqual(["/dev/null", "/dev/null", "/dev/null"]);
  server.kill();
  expect(await server.finished()).toBe(0);
});

test("resolves relative paths in the current directory", async () => {
  using dir = tempDir();
  const files = ["--metrics", "./metrics", "--audit", "audit"];
  const serve = [XSOCKET, "serve", "--mode", "0600", ...files, "control"];
  await using server = here.spawn(serve, { cwd: dir.path });
  await server.says(/serving at/);
  expect(statSync(dir.join("control")).mode & 0o777).toBe(0o600);
  expect(existsSync(dir.join("audit"))).toBe(true);
  await eventually("the metrics", () => existsSync(dir.join("metrics")));
});

test.each(["", "rmdir ../held && "])(
  "does not keep the directory where it was started in use (%j)",
  async (gone) => {
    using dir = tempDir();
    const script = `mkdir held && cd held && ${gone}exec "$@"`;
    const argv = ["sh", "-c", script, "sh", XSOCKET, "serve", dir.join("control")];
    await using server = here.spawn(argv, { cwd: dir.path });
    await server.says(/serving at/);
    const { stdout } = await here.run(["ls", "-l", `/proc/${server.pid}/fd`]);
    expect(stdout).toContain("socket:");
    expect(stdout).not.toContain("/held");
    expect(readlinkSync(`/proc/${server.pid}/cwd`)).toBe("/");
  },
);

test.skipIf(isContained)("--metrics-remote serves metrics at 0.0.0.0", async () => {
  await using target = await createNamespace();
  await using server = await startServer({
    place: target,
    args: ["--metrics", "0.0.0.0:9100", "--metrics-remote"],
  });
  await eventually("the metrics", () => target.listens("tcp", 9100));
  const page = await target.fetchText("http://127.0.0.1:9100/metrics");
  expect(page).toContain("xsocket_build_info");
  expect(await server.stop()).toBe(0);
});

const GID = process.getegid?.() ?? 0;

test.each([
  ["--mode 0000", "only root can connect with mode 0000"],
  [`--mode 0555 --group ${GID}`, "only root can connect with mode 0555"],
  [`--mode 0646 --group ${GID}`, `the group ${GID} cannot connect with mode 0646`],
])("serve warns that %s keeps out whom it should let in", async (words, warning) => {
  await using server = await startServer({ args: words.split(" ") });
  await server.program.says(new RegExp(`warning: ${warning}, since .*, as in --mode 0660\n`));
});

test("xsocket-server is serve, also through a link in npm's directories", async () => {
  using dir = tempDir();
  await using one = here.spawn([`${XSOCKET}-server`, dir.join("one")]);
  await one.says(/serving at .*one/);
  symlinkSync(START, dir.join("xsocket-server"));
  const { code, stdout } = await here.run([dir.join("xsocket-server"), "--help"]);
  expect(code).toBe(0);
  expect(stdout).toContain("USAGE xsocket serve");
});

test.skipIf(isContained)("run opens a port only in the server's namespace", async () => {
  await using target = await createNamespace();
  await using inside = await createNamespace();
  using dir = tempDir();
  await using server = await startServer({ place: target, path: dir.join("control") });
  const program = ["python3", "-m", "http.server", "3000"];
  const run = [...RUN, server.path, "--", ...program];
  await using page = inside.spawn(run, { cwd: dir.path });
  await eventually("port 3000 to open", () => target.listens("tcp", 3000));
  expect(await target.fetchText("http://127.0.0.1:3000/")).toContain("control");
  expect(inside.listens("tcp", 3000)).toBe(false);
  expect(page.stderr).not.toContain("xsocket:");
});

/* Becomes a program whose stderr is a closed pipe, with the given disposition of SIGPIPE. */
const UNHEARD = `
import os, signal, sys
reader, writer = os.pipe()
os.close(reader)
os.dup2(writer, 2)
os.close(writer)
signal.signal(signal.SIGPIPE, signal.SIG_IGN if sys.argv[1] == "ignored" else signal.SIG_DFL)
if sys.argv[1] == "blocked":
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGPIPE])
os.execvp(sys.argv[2], sys.argv[2:])
`;

test.each(["default", "ignored", "blocked"])(
  "run starts the program although its warning cannot be written, and keeps SIGPIPE %s",
  async (disposition) => {
    const start = ["python3", "-c", UNHEARD, disposition];
    const program = ["grep", "-E", "^(Sig[PBIC]|Shd)", "/proc/self/status"];
    const plain = await here.run([...start, ...program]);
    const under = await here.run([...start, ...RUN, "/nowhere/control", "--", ...program]);
    expect(plain.stdout).toContain("SigIgn");
    expect(under).toEqual(plain);
  },
);
