import { expect, test } from "bun:test";
import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { libraryPath } from "@xsocket/xbind-native";
import {
  eventually,
  expectSentence,
  hasCookies,
  here,
  isContained,
  startServer,
  tempDir,
  XSOCKET,
} from "../harness/index.ts";
import { SilentServer } from "../sdk/silent.ts";
import { quietRun } from "./quiet.ts";

const RUN = await quietRun();

async function printed(...argv: string[]): Promise<Record<string, string>> {
  const { code, stdout, stderr } = await here.run([XSOCKET, "run", "--print", ...argv], {
    env: { LD_PRELOAD: undefined },
  });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const lines = stdout.trimEnd().split("\n");
  return Object.fromEntries(lines.map((line) => [line.split("=")[0], line.replace(/^\w+=/, "")]));
}

test("--print shows the variables without quotes and spaces", async () => {
  expect(await printed("--port", "3000")).toEqual({
    XBIND: "3000",
    LD_PRELOAD: libraryPath("xbind"),
  });
  expect(await printed("--port", "80 tcp/53", "--port=8080:3000", "--socket", "/run/x")).toEqual({
    XBIND: "80,tcp/53,8080:3000",
    XSOCKET: "/run/x",
    LD_PRELOAD: libraryPath("xbind"),
  });
  expect((await printed("--all"))["XBIND"]).toBe("*");
  expect((await printed("--all", "--port", "81:80"))["XBIND"]).toBe("81:80,*");
});

test("--print shows one line for each variable and refuses a line break", async () => {
  expect((await printed("--port", "1", "--socket", "/run/a b"))["XSOCKET"]).toBe("/run/a b");
  const argv = [XSOCKET, "run", "--print", "--port", "1"];
  const says =
    "xsocket: the path of the control socket contains a line break, so it cannot be printed on one line: give another path, such as that of a link\n";
  const misused = { code: 2, stdout: "", stderr: says };
  expect(await here.run([...argv, "--socket", "/run/a\nb"])).toMatchObject(misused);
  expect(await here.run(argv, { env: { XSOCKET: "/run/a\rb" } })).toMatchObject(misused);
});

test("the variables of --print work without run", async () => {
  await using server = await startServer();
  const print = [XSOCKET, "run", "--print", "--port", "0", "--socket", server.path];
  const { stdout } = await here.run(print);
  const script = 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print("bound")';
  const log = { XBIND_LOG: "1" };
  const start = ["env", ...stdout.trimEnd().split("\n"), "python3", "-c", script];
  const { code, stderr } = await here.run(start, { env: log });
  expect(code).toBe(0);
  expect(stderr).toContain(server.path);
});

test("ignores XSOCKET_RUN_PRELOAD from the environment", async () => {
  const { stdout } = await here.run([...RUN, "--", "printenv", "LD_PRELOAD"], {
    env: { LD_PRELOAD: undefined, XSOCKET_RUN_PRELOAD: "libm.so.6" },
  });
  expect(stdout).toBe(`${libraryPath("xbind")}\n`);
});

test("keeps an existing LD_PRELOAD", async () => {
  const { stdout } = await here.run([...RUN, "--", "printenv", "LD_PRELOAD"], {
    env: { LD_PRELOAD: "libm.so.6" },
  });
  expect(stdout).toBe(`${libraryPath("xbind")}:libm.so.6\n`);
});

test("refuses an existing LD_PRELOAD that is not UTF-8", async () => {
  const start = ["bash", "-c", `LD_PRELOAD=$'libm.so.6:/\\xff/l.so' exec "$@"`, "bash"];
  for (const what of [["--", "echo", "ran"], ["--print"]]) {
    const { code, stdout, stderr } = await here.run([...start, ...RUN, ...what]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^xsocket: LD_PRELOAD .*is not UTF-8: [^\n]*\n$/m);
  }
});

test("refuses variables that are too long together", async () => {
  const ports = Array(12_000).fill("10000").join(",");
  const env = { LD_PRELOAD: Array(12_500).fill("libm.so.6").join(":") };
  const refused = await here.run([...RUN, "--port", ports, "--", "env"], { env });
  const says = /take \d+ bytes .* write ports as ranges, or shorten LD_PRELOAD\n$/;
  expectSentence(refused, 1, says);
});

// arm64 has only ppoll(2) and dup3(2)
test.each([
  ["?poll,?ppoll", "cannot wait for Bun"],
  ["recvmsg", "cannot wait for Bun"],
  ["pipe2", "cannot start /PATH"],
  ["?fork,?vfork,?clone,?clone3", "cannot start /PATH"],
  ["?dup2,?dup3", "cannot start /PATH"],
])("reports the failure when %s is refused", async (calls, says) => {
  using dir = tempDir();
  const refusing = ["strace", "-f", "-o", dir.join("trace"), "-e", `inject=${calls}:error=ENOMEM`];
  const { code, stdout, stderr } = await here.run([...refusing, ...RUN, "--", "true"]);
  expect(stderr.replace(/\/\S+(?=: )/, "/PATH")).toBe(`xsocket: ${says}: Cannot allocate memory\n`);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
});

function checked(socket: string): string[] {
  return [XSOCKET, "run", "--check", "--port", "3000", "--socket", socket, "--", "echo", "ran"];
}

test.skipIf(isContained)(
  "--check fails without a server and runs the program with one",
  async () => {
    const says = /^xsocket: cannot get .*\/nowhere\/control.*ENOENT.*xsocket serve/;
    expectSentence(await here.run(checked("/nowhere/control")), 1, says);

    await using server = await startServer({ place: "own" });
    expect(await here.run(checked(server.path))).toEqual({ code: 0, stdout: "ran\n", stderr: "" });
  },
);

test.skipIf(isContained)(
  "--check names TCP under a policy that allows it alone, and not under one that denies it",
  async () => {
    using dir = tempDir();
    const policy = dir.join("policy");
    await Bun.write(policy, '[[rule]]\naction = "allow"\nprotocol = "tcp"\n');
    await using server = await startServer({ place: "own", args: ["--policy", policy] });
    const says = "If the program needs only TCP, ask for that alone: --port tcp/3000, or 'tcp/*'";
    expectSentence(await here.run(checked(server.path)), 1, says);
    const narrow = checked(server.path).with(4, "tcp/3000");
    expect(await here.run(narrow)).toEqual({ code: 0, stdout: "ran\n", stderr: "" });

    await using closed = await startServer({ place: "own", args: ["--policy", "/dev/null"] });
    expectSentence(await here.run(checked(closed.path)), 1, /type stream and dgram\.\n$/);
  },
);

test("--check comes before --print", async () => {
  const words = ["--print", "--check", "--port", "3000", "--socket", "/nowhere/control"];
  const says = "/nowhere/control: there is no such control socket (ENOENT)";
  expectSentence(await here.run([XSOCKET, "run", ...words]), 1, says);
});

test.each([
  ["", []],
  [", though it ignores SIGTERM", ["env", "--ignore-signal=TERM"]],
  [", though it has all signals blocked", ["env", "--block-signal"]],
])("Bun ends with a launcher that is killed%s", async (_state, start) => {
  using silent = new SilentServer(); // so that Bun has something to wait for
  const env = { BUN_FEATURE_FLAG_NO_ORPHANS: undefined }; // which ends it anyway in a run by ./dev test
  await using launcher = here.spawn([...start, ...checked(silent.path)], { env });
  const { pid } = launcher;
  const look = () => readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  const bun = await eventually("Bun", () => look() || undefined);
  await eventually("it to be Bun", () => commandLine(bun).includes("--no-install"));
  process.kill(Number(bun), "SIGSTOP"); // so that it does not end by itself, which it does after 5 s
  launcher.kill("SIGKILL");
  await eventually("its end", () => commandLine(bun) === "");
});

/* The command line of a process, empty after its end. */
function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

test.skipIf(!hasCookies)(
  "--check warns of a server in the same namespace, unless its name is abstract",
  async () => {
    await using server = await startServer();
    const warned = await here.run(checked(server.path));
    expect(warned).toMatchObject({ code: 0, stdout: "ran\n" });
    expect(warned.stderr).toContain("this network namespace itself");
    await using named = await startServer({ path: `@xsocket-check-${process.pid}` });
    expect(await here.run(checked(named.path))).toEqual({ code: 0, stdout: "ran\n", stderr: "" });
  },
);

test("resolves a relative XSOCKET_LIBDIR in the current directory", async () => {
  using dir = tempDir();
  mkdirSync(dir.join("lib"));
  copyFileSync(libraryPath("xbind"), dir.join("lib/libxbind.so"));
  const found = (within: string, XSOCKET_LIBDIR: string) =>
    here.run([XSOCKET, "lib", "xbind"], { env: { XSOCKET_LIBDIR }, cwd: dir.join(within) });
  expect((await found("", "lib/")).stdout).toBe(`${dir.join("lib/libxbind.so")}\n`);
  expect((await found("lib", ".")).stdout).toBe(`${dir.join("lib/libxbind.so")}\n`);
  expect((await found("", "~/lib")).stderr).toContain("~/lib: write $HOME/lib\n");
});
