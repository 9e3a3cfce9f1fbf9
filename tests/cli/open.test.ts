import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  createNamespace,
  eventually,
  expectSentence,
  hasCookies,
  hasIpv6,
  here,
  isRoot,
  OWN_MOUNTS,
  refusing,
  ROOT,
  startServer,
  tempDir,
  XSOCKET,
} from "../harness/index.ts";

const MAIN = join(ROOT, "packages/cli/src/main.ts");

const FAMILY = "import socket; s = socket.socket(fileno=3); print(s.family.name, s.getsockname())";

/* A socket-activated program as of sd_listen_fds(3) that answers one connection. */
const ACTIVATED = `
import os, socket
assert "LISTEN_PIDFDID" not in os.environ, os.environ
assert os.environ["LISTEN_PID"] == str(os.getpid()) and os.environ["LISTEN_FDS"] == "1", os.environ
assert os.environ["LISTEN_FDNAMES"] == "xsocket", os.environ
listener = socket.socket(fileno=3)
print("type", listener.type.name, "port", listener.getsockname()[1], flush=True)
connection, peer = listener.accept()
connection.recv(999)
connection.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\nactivated")
`;

test.skipIf(!hasCookies)("open prints the namespace, the cookie and the time", async () => {
  await using target = await createNamespace();
  await using server = await startServer({ place: target });
  const { code, stdout, stderr } = await here.run([XSOCKET, "open", server.path]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(isRoot ? /^namespace {2}net:\[\d+\]$/m : /^namespace {2}/m);
  expect(stdout).toContain(
    `cookie     ${await target.cookie()}; this namespace has ${await here.cookie()}`,
  );
  expect(stdout).toMatch(/^time {7}\d+\.\d{3} ms$/m);
});

test.skipIf(!hasCookies)("open --json prints the same as JSON", async () => {
  await using server = await startServer();
  const argv = [XSOCKET, "open", "--json", "--type", "dgram", server.path];
  const { stdout } = await here.run(argv);
  const found: unknown = JSON.parse(stdout);
  const cookie = Number(await here.cookie());
  expect(found).toMatchObject({ cookie, ownCookie: cookie });
  const { stdout: words } = await here.run([XSOCKET, "open", server.path]);
  expect(words).toContain(`cookie     ${cookie}, that of this namespace itself\n`);
});

test.each(["/proc/self/fd/7/control", "/dev/fd/7/control"])(
  "open and run find a socket by a descriptor of their caller: %s",
  async (path) => {
    await using server = await startServer();
    const script = `exec 7<${dirname(server.path)}; "$@"`;
    const start = ["sh", "-c", script, "sh", XSOCKET];
    const opened = await here.run([...start, "open", "--port", "0", path, "--", "true"]);
    expect(opened).toEqual({ code: 0, stdout: "", stderr: "" });
    const run = [...start, "run", "--port", "1", "--socket", path, "--", "printenv", "XSOCKET"];
    expect(await here.run(run)).toEqual({ code: 0, stdout: `${path}\n`, stderr: "" });
  },
);

test.each(["--exec", "--exec --", "--"])(
  "open starts a socket-activated program with a listener in another namespace by %s",
  async (separators) => {
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
    await using inside = await createNamespace();
    const open = [XSOCKET, "open", server.path, "--port", "3000", ...separators.split(" ")];
    /* Variables of other sockets, as in a service that has some, must not reach the program. */
    const others = { LISTEN_PID: "1", LISTEN_FDS: "2", LISTEN_FDNAMES: "a:b", LISTEN_PIDFDID: "7" };
    await using program = inside.spawn([...open, "python3", "-c", ACTIVATED], { env: others });
    await program.says(/type SOCK_STREAM port 3000/);
    await eventually("port 3000 to open", () => target.listens("tcp", 3000));
    expect(inside.listens("tcp", 3000)).toBe(false);
    expect(await target.fetchText("http://127.0.0.1:3000/")).toBe("activated");
    expect(await program.finished()).toBe(0);
    /* The program closed first, so its end of the connection keeps the port in TIME_WAIT. */
    expect((await here.run([...open, "true"])).stderr).toBe("");
  },
);

test("open becomes the program, with the socket as descriptor 3", async () => {
  await using server = await startServer();
  const script = 'exec 3</etc/passwd 4</etc/group; exec "$@"';
  const open = [XSOCKET, "open", server.path, "--exec", "ls", "-l", "/proc/self/fd"];
  const { stdout } = await here.run(["sh", "-c", script, "sh", ...open]);
  expect(stdout).toMatch(/ 3 -> socket:/);
  expect(stdout).toMatch(/ 4 -> \/etc\/group/);
  expect(stdout).not.toContain("/etc/passwd");
  expect(stdout).not.toMatch(/ (?:[4-9]|\d\d+) -> socket:/);
});

/* In the place of Bun: gives the launcher a socket when that may open no descriptor any more. */
const WITHHELD = `#!/usr/bin/env python3
import os, resource, socket
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (3, hard))
socket.send_fds(socket.socket(fileno=3), [b"2\\0LISTEN_FDS=1\\0"], [0])
`;

test("does not start the program without the socket if the kernel keeps that back", async () => {
  using dir = tempDir();
  const bun = dir.join("bun");
  writeFileSync(bun, WITHHELD, { mode: 0o755 });
  const open = [XSOCKET, "open", "--exec", "echo", "ran"];
  const result = await here.run(open, { env: { XSOCKET_BUN: bun } });
  expectSentence(result, 1, "the socket cannot be handed on to the program: raise the limit");
});

test("removes NODE_CHANNEL_FD only if it names the socket's descriptor", async () => {
  await using server = await startServer();
  const printed = async (channel: string): Promise<string> => {
    const env = { NODE_CHANNEL_FD: channel, NODE_CHANNEL_SERIALIZATION_MODE: "json" };
    const open = [XSOCKET, "open", server.path, "--exec", "env"];
    return (await here.run(open, { env })).stdout;
  };
  const socket = await printed("3");
  expect(socket).toContain("LISTEN_FDS=1\n");
  expect(socket).not.toContain("NODE_CHANNEL");
  expect(await printed("7")).toMatch(/^NODE_CHANNEL_FD=7$/m);
});

test("reports a port that is in use or needs a privilege", async () => {
  await using target = await createNamespace();
  await using server = await startServer({ place: target });
  const start = [XSOCKET, "open", server.path, "--port", "3000", "--exec", "sleep", "60"];
  await using holder = here.spawn(start);
  await eventually("port 3000 to open", () => target.listens("tcp", 3000));
  const inUse = /^xsocket: cannot bind port 3000.*EADDRINUSE.*another port\.\n$/;
  expectSentence(await here.run(start), 1, inUse);
  expect(holder.stderr).toBe("");
  const sharing = `
import socket, time
s = socket.socket(type=socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("", 3000))
time.sleep(60)`;
  await using _ = target.spawn(["python3", "-c", sharing]);
  await eventually("the datagram port", () => target.listens("udp", 3000));
  // shared by SO_REUSEADDR, one of the two would get the datagrams of the other
  const shared = await here.run([...start.slice(0, 3), "--type", "dgram", "--port", "3000"]);
  expect(shared.stderr).toMatch(/^xsocket: cannot bind port 3000.*EADDRINUSE/);
  // the owner of the target may bind it, except from a user namespace below
  const held = isRoot ? ["setpriv", "--bounding-set=-net_bind_service"] : ["unshare", "--user"];
  const denied = await here.run([...held, XSOCKET, "open", server.path, "--port", "80"]);
  expectSentence(denied, 1, /^xsocket: cannot bind port 80.*EACCES.*CAP_NET_BIND_SERVICE/);
});

test.skipIf(!hasIpv6)("--family 6 opens a port of IPv6", async () => {
  await using server = await startServer({ place: "own" });
  const open = [XSOCKET, "open", server.path, "--family", "6", "--port", "3000", "--exec"];
  const { stdout } = await here.run([...open, "python3", "-c", FAMILY]);
  expect(stdout).toBe("AF_INET6 ('::', 3000, 0, 0)\n");
});

test.if(isRoot)(
  "prints the name of a namespace from ip-netns(8) to a privileged user",
  async () => {
    await using server = await startServer({ place: "own" });
    const script = `mount -t tmpfs none /run && "$@" && mkdir -p /run/netns && cd /run/netns &&
    ln -s /proc/0/ns/net before && touch lan vpn && ln -s /proc/0/ns/net behind && cd - >/dev/null &&
    mount --bind /proc/${server.program.pid}/ns/net /run/netns/vpn && "$@"`;
    const namespaces = async (...argv: string[]) => {
      const open = [...argv, XSOCKET, "open", server.path];
      const { stdout } = await here.run([...OWN_MOUNTS, "sh", "-c", script, "sh", ...open]);
      return stdout.match(/^namespace .*/gm)?.map((line) => line.replace(/\d+/, "N"));
    };
    expect(await namespaces()).toEqual(["namespace  net:[N]", "namespace  net:[N] (vpn)"]);
    const untold = "namespace  not told to this user (takes CAP_NET_ADMIN there)";
    expect(await namespaces("setpriv", "--bounding-set=-net_admin")).toEqual([untold, untold]);
  },
);

test("reports a kernel without network namespaces", async () => {
  await using server = await startServer();
  // without the launcher, which would run the command under another process id
  const without = 'mount -t tmpfs none "/proc/$$/ns" && exec "$@" 3<.';
  const open = [process.execPath, MAIN, "3", "-1", "open", server.path];
  const confined = ["setpriv", "--bounding-set=-net_admin", ...open];
  const { stdout } = await here.run([...OWN_MOUNTS, "sh", "-c", without, "sh", ...confined]);
  expect(stdout).toMatch(/^namespace +not told \(this kernel has no network namespaces\)$/m);
});

/* As in a unit with RestrictAddressFamilies=AF_INET AF_INET6. */
test.each([
  [["open"], 1],
  [["status"], 1],
  [["run", "--port", "1", "--socket"], 0],
])("reports that UNIX sockets are not allowed: %j", async (argv, exit) => {
  await using server = await startServer();
  const start = [...refusing("socket", 0, 1, "EAFNOSUPPORT"), XSOCKET];
  const program = argv[0] === "run" ? ["--", "true"] : [];
  const { code, stdout, stderr } = await here.run([...start, ...argv, server.path, ...program]);
  expect(stdout + stderr).toMatch(
    /not allowed to make UNIX sockets.*\n?.*RestrictAddressFamilies=/,
  );
  expect(code).toBe(exit);
});

/* Before Linux 5.14 there is no SO_NETNS_COOKIE, and a unit may have no family but AF_UNIX. */
test.each([
  ["no numbers of namespaces", refusing("getsockopt", 2, 71, "ENOPROTOOPT")],
  ["no sockets of its own namespace", refusing("socket", 0, 2, "EAFNOSUPPORT")],
])("gets a socket with %s", async (_what, start) => {
  await using server = await startServer({ place: "own" });
  const xsocket = (...argv: string[]) => here.run([...start, XSOCKET, ...argv]);
  expect(await xsocket("open", server.path, "--exec", "echo", "ran")).toEqual({
    code: 0,
    stdout: "ran\n",
    stderr: "",
  });
  expect((await xsocket("open", server.path)).stdout).not.toContain("this namespace has");
  const { stdout } = await xsocket("open", server.path, "--json");
  expect(Object.keys(JSON.parse(stdout))).toContain("milliseconds");
  const run = ["run", "--check", "--port", "1", "--socket", server.path, "--", "echo", "ran"];
  expect(await xsocket(...run)).toEqual({ code: 0, stdout: "ran\n", stderr: "" });
  const doctor = await xsocket("doctor", server.path);
  expect(doctor).toMatchObject({ code: 0, stderr: "" });
  expect(doctor.stdout).toMatch(/^- +namespace +needs Linux 5\.14/m);
});

test("names the quota as a possible reason of a refusal", async () => {
  await using server = await startServer({ args: ["--sockets-per-minute", "1"] });
  const open = () => here.run([XSOCKET, "open", server.path]);
  expect((await open()).code).toBe(0);
  expectSentence(await open(), 1, /^xsocket: .* this kind of socket .* quota .*\(EPERM\)/);
});
