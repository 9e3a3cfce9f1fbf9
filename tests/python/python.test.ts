import { expect, test } from "bun:test";
import { join } from "node:path";
import { libraryPath } from "@xsocket/xbind-native";
import {
  createNamespace,
  hasCookies,
  hasIpv6,
  here,
  OWN_MOUNTS,
  ROOT,
  startServer,
  tempDir,
} from "../harness/index.ts";

const ENV = {
  PYTHONPATH: join(ROOT, "python"),
  PYTHONDONTWRITEBYTECODE: "1",
  XSOCKET_LIBDIR: join(libraryPath("xsocket"), ".."),
};

/* A program for another namespace that asks for one socket of each kind, and prints their namespaces. */
const PROGRAM = `
import os, socket, struct, sys, xsocket
SO_NETNS_COOKIE = 71
before = len(os.listdir("/proc/self/fd"))
for family in (socket.AF_INET, socket.AF_INET6):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with xsocket.socket(sys.argv[1], family, kind) as made:
            assert isinstance(made, socket.socket)
            assert (made.family, made.type) == (family, kind), made
            assert not os.get_inheritable(made.fileno())
            assert made.getblocking()
            print(struct.unpack("@Q", made.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8))[0])
with xsocket.socket(sys.argv[1], type=socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as made:
    assert not made.getblocking()
assert len(os.listdir("/proc/self/fd")) == before
`;

test.skipIf(!hasIpv6 || !hasCookies)(
  "Python gets sockets of the server's namespace as socket.socket",
  async () => {
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
    await using inside = await createNamespace();
    const result = await inside.run(["python3", "-c", PROGRAM, server.path], { env: ENV });
    expect(result.stderr).toBe("");
    const cookie = String(await target.cookie());
    expect(result.stdout.trim().split("\n")).toEqual([cookie, cookie, cookie, cookie]);
  },
);

/* Compares each socket with one of socket.socket() by the same arguments. */
const LIKE_PLAIN = `
import itertools, os, socket, sys, xsocket
def described(made):
    descriptor = made.fileno()
    flags = (os.get_blocking(descriptor), os.get_inheritable(descriptor))
    return (type(made), made.family, made.type, made.proto, made.gettimeout(), flags)
arguments = (
    (),
    (socket.AF_INET, socket.SOCK_DGRAM),
    (socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK),
    (socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, socket.IPPROTO_UDP),
    (True + 1, 1, socket.IPPROTO_TCP),
)
for timeout, given in itertools.product((None, 0, 2.5), arguments):
    socket.setdefaulttimeout(timeout)
    with xsocket.socket(sys.argv[1], *given) as made, socket.socket(*given) as plain:
        assert described(made) == described(plain), (timeout, given, made, plain)
`;

test("Python's socket is what socket.socket() would have made", async () => {
  await using server = await startServer();
  const run = ["python3", "-c", LIKE_PLAIN, server.path];
  const { code, stderr } = await here.run(run, { env: ENV });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});

test("Python's errors name the errno and the path", async () => {
  using dir = tempDir();
  const program = `
import os, pathlib, sys, xsocket
missing = sys.argv[1]
for path, family in (
    (missing, 2), (os.fsencode(missing), 2), (pathlib.Path(missing), 2), (None, 2),
    ("/" + "p" * 200, 2), ("a\\0b", 2), ("/x", 2**31), ("/x", 2.0), ("/x", None)
):
    try:
        xsocket.socket(path, family)
    except (OSError, ValueError, OverflowError, TypeError) as error:
        named = getattr(error, "filename", None) == (path or "/run/xsocket/default")
        print(type(error).__name__, getattr(error, "errno", None), named)
`;
  const emptyRun = ["sh", "-c", 'mount -t tmpfs run /run && exec "$@"', "sh"];
  const run = [...OWN_MOUNTS, ...emptyRun, "python3", "-c", program, dir.join("missing")];
  const { stdout, stderr } = await here.run(run, { env: ENV });
  expect(stdout, stderr).toBe(
    "FileNotFoundError 2 True\n".repeat(4) +
      "OSError 36 True\nValueError None False\nOverflowError None False\n" +
      "TypeError None False\n".repeat(2),
  );
});

test("Python's error for a missing library names the variables that give its directory", async () => {
  await using inside = await createNamespace();
  const env = { ...ENV, XSOCKET_LIBDIR: "/nosuch" };
  const result = await inside.run(["python3", "-c", "import xsocket; xsocket.socket()"], { env });
  const says =
    "OSError: /nosuch/libxsocket.so.1: cannot open shared object file: No such file or directory: " +
    "name the directory of libxsocket.so.1 in XSOCKET_LIBDIR or LD_LIBRARY_PATH";
  expect(result.stderr.trim().split("\n").at(-1)).toBe(says);
});

/* Runs a signal handler during the first load of the library. */
const INTERRUPTED = `
import ctypes, signal, xsocket
def missing(*_):
    try:
        xsocket.socket("/nosuch/xsocket")
    except FileNotFoundError:
        print("missing")
signal.signal(signal.SIGUSR1, missing)
original = ctypes.CDLL
class Interrupted(original):
    def __init__(self, *arguments, **options):
        ctypes.CDLL = original
        signal.raise_signal(signal.SIGUSR1)
        super().__init__(*arguments, **options)
ctypes.CDLL = Interrupted
signal.alarm(10)
missing()
`;

test("a Python signal handler can get a socket while the library is being loaded", async () => {
  const { code, stdout, stderr } = await here.run(["python3", "-c", INTERRUPTED], { env: ENV });
  expect(stderr).toBe("");
  expect({ code, stdout }).toEqual({ code: 0, stdout: "missing\nmissing\n" });
});

/* A program with its own server, which answers after Ctrl-C. */
const ENDED_BY_KEY = `
import os, signal, socket, struct, sys, threading, xsocket
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind(sys.argv[1])
listener.listen()
def answer():
    connection, _ = listener.accept()
    connection.recv(16)
    os.kill(os.getpid(), signal.SIGINT)
    with socket.socket() as made, connection:
        socket.send_fds(connection, [struct.pack("!II", 0x58533032, 0)], [made.fileno()])
thread = threading.Thread(target=answer)
before = len(os.listdir("/proc/self/fd"))
thread.start()
try:
    xsocket.socket(sys.argv[1])
except KeyboardInterrupt:
    thread.join()
    print("interrupted, and left open:", len(os.listdir("/proc/self/fd")) - before)
`;

test("Python leaves no descriptor open if Ctrl-C comes before the answer", async () => {
  using dir = tempDir();
  const run = ["python3", "-c", ENDED_BY_KEY, dir.join("control")];
  const { stdout, stderr } = await here.run(run, { env: ENV });
  expect(stderr).toBe("");
  expect(stdout).toBe("interrupted, and left open: 0\n");
});

/* Raises KeyboardInterrupt when Python's socket has just got the descriptor. */
const ENDED_IN_SOCKET = `
import os, socket, sys, xsocket
class Interrupted(socket.socket):
    def __init__(self, *args, **named):
        super().__init__(*args, **named)
        raise KeyboardInterrupt
xsocket._socket.socket = Interrupted
before = len(os.listdir("/proc/self/fd"))
try:
    xsocket.socket(sys.argv[1])
except KeyboardInterrupt:
    others = [os.open("/", os.O_PATH) for _ in range(4)] # one has its number, if that is free
for other in others:
    os.close(other)
print("interrupted, and left open:", len(os.listdir("/proc/self/fd")) - before)
`;

test("Python closes a descriptor only once if Ctrl-C comes as its socket object is made", async () => {
  await using server = await startServer();
  const run = ["python3", "-c", ENDED_IN_SOCKET, server.path];
  const { stdout, stderr } = await here.run(run, { env: ENV });
  expect(stderr).toBe("");
  expect(stdout).toBe("interrupted, and left open: 0\n");
});
