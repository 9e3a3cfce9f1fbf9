import { afterAll, expect, test } from "bun:test";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { libraryPath } from "@xsocket/xbind-native";
import {
  asOrdinaryUser,
  createNamespace,
  eventually,
  guardDescriptors,
  hasCookies,
  HELD_TO_MODES,
  here,
  isContained,
  isRoot,
  OWN_MOUNTS,
  startServer,
  tempDir,
  typed,
  XSOCKET,
  xsocketForEveryone,
} from "../harness/index.ts";
import { silentServer } from "../sdk/silent.ts";

guardDescriptors();

/* With a server, run prints no warning. */
const quiet = await startServer();
afterAll(() => quiet[Symbol.asyncDispose]());

const RUN = [XSOCKET, "run", "--socket", quiet.path, "--port", "3000"];

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
  const { stdout } = await here.run([
    XSOCKET,
    "run",
    "--print",
    "--port",
    "0",
    "--socket",
    server.path,
  ]);
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

const SET_USER = isRoot
  ? "gcc && chown 65534 program && chmod 4755 program"
  : "gcc && ln -sf $(which su) program";

/* How to build a program that cannot be preloaded, and the message about it. */
const BUILDS: Record<string, readonly [build: string, says: RegExp]> = {
  "a static program": ["gcc -static", /statically linked.*dynamically linked build/],
  "a static position-independent program": [
    "gcc -static-pie",
    /statically linked.*or, if it only starts another program, put "xsocket run" after it \(/,
  ],
  "a program of another architecture": [
    "gcc && printf '\\363\\0' | dd of=program bs=1 seek=18 conv=notrunc status=none",
    /built for RISC-V.*set LD_PRELOAD to a libxbind.so for RISC-V/,
  ],
  "a program of another C library": [
    "gcc -Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1",
    /C library musl.*glibc.*set LD_PRELOAD to a libxbind.so for musl/,
  ],
  "a set-user-ID program": [SET_USER, /set-user-ID/],
};

async function buildProgram(directory: string, build: string): Promise<void> {
  writeFileSync(`${directory}/program.c`, "int main(void) { return 0; }\n");
  const [compile = "", ...rest] = build.split(" && ");
  const script = [`${compile} -o program program.c`, ...rest].join(" && ");
  const { code, stderr } = await here.run(["sh", "-c", script], { cwd: directory });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
}

test("refuses variables that are too long together", async () => {
  const ports = Array(12_000).fill("10000").join(",");
  const { code, stdout, stderr } = await here.run([...RUN, "--port", ports, "--", "env"], {
    env: { LD_PRELOAD: Array(12_500).fill("libm.so.6").join(":") },
  });
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(/take \d+ bytes .* write ports as ranges, or shorten LD_PRELOAD\n$/);
});

test.each(Object.entries(BUILDS))("refuses %s in one sentence", async (_name, [build, says]) => {
  using dir = tempDir();
  await buildProgram(dir.path, build);
  const { code, stdout, stderr } = await here.run([...RUN, "--", "./program"], { cwd: dir.path });
  expect(stderr).toMatch(/^xsocket: [^\n]*\n$/);
  expect(stderr).toMatch(says);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
});

/* Root's sudo is preloaded despite set-user-ID, but the program that it starts is not. */
test.each(["sudo", "run0", "env -i"])(
  "refuses %s, which removes LD_PRELOAD from the environment",
  async (start) => {
    const [name = "", ...words] = start.split(" ");
    using dir = tempDir();
    await buildProgram(dir.path, `gcc && mv program ${name} && touch program`);
    const run = (...argv: string[]) => here.run([...RUN, ...argv], { cwd: dir.path });
    const { code, stderr } = await run("--", `./${name}`, ...words, "true");
    expect(stderr).toMatch(/^xsocket: \.\/\w+ would open no port.*LD_PRELOAD.*after it.*\n$/);
    expect(code).toBe(1);
    expect((await run("--force", "--", `./${name}`)).code).toBe(0);
  },
);

/* As in every guide to a VPN in a namespace. */
test("looks at the program that ip-netns(8) starts", async () => {
  using dir = tempDir();
  await buildProgram(dir.path, "gcc && cp program ip && mv program sudo");
  const run = (...argv: string[]) => here.run(argv, { cwd: dir.path });
  const netns = ["--", "./ip", "netns", "exec", "vpn"];
  const { code, stderr } = await run(...RUN, ...netns, "./sudo", "true");
  expect(stderr).toMatch(/^xsocket: \.\/sudo would open no port there/);
  expect(code).toBe(1);
  expect((await run(...RUN, ...netns, "./ip")).code).toBe(0);
  expect((await run(...RUN, "--force", ...netns, "./sudo")).code).toBe(0);
  const doctor = await run(XSOCKET, "doctor", quiet.path, ...netns, "./sudo", "true");
  expect(doctor.stdout).toMatch(/FAILED +program +\.\/sudo: it drops LD_PRELOAD/);
});

test("refuses systemctl, which has a service started", async () => {
  using dir = tempDir();
  await buildProgram(dir.path, "gcc && mv program systemctl");
  const argv = [...RUN, "--", "./systemctl", "start", "web"];
  const { code, stderr } = await here.run(argv, { cwd: dir.path });
  expect(stderr).toMatch(/would open no port there, since it has a service started.*Environment=/);
  expect(code).toBe(1);
});

test("refuses tmux within a session, where the tmux server starts the program", async () => {
  using dir = tempDir();
  await buildProgram(dir.path, "gcc && mv program tmux");
  const run = (TMUX: string | undefined) =>
    here.run([...RUN, "--", "./tmux", "new-window"], { cwd: dir.path, env: { TMUX } });
  expect((await run("/tmp/tmux-0/default,1,0")).stderr).toContain("it drops LD_PRELOAD");
  expect((await run(undefined)).code).toBe(0);
});

/* That the program is static, as podman may be, must not be the reason given. */
test("refuses podman, whose containers have their own environment", async () => {
  using dir = tempDir();
  await buildProgram(dir.path, "gcc -static && mv program podman");
  const { code, stderr } = await here.run([...RUN, "--", "./podman"], { cwd: dir.path });
  expect(stderr).toMatch(/would open no port there, since it gives a container.*run --print/);
  expect(code).toBe(1);
});

test("refuses a docker command that is a script, as in podman-docker", async () => {
  using dir = tempDir();
  writeFileSync(dir.join("docker"), '#!/bin/sh\nexec podman "$@"\n', { mode: 0o755 });
  const { stderr } = await here.run([...RUN, "--", "./docker"], { cwd: dir.path });
  expect(stderr).toMatch(/since it gives a container its own environment/);
});

test("judges a script by its interpreter, and runs anything with --force", async () => {
  using dir = tempDir();
  await buildProgram(dir.path, "gcc -static");
  writeFileSync(dir.join("script"), `#!${dir.join("program")}\n`);
  const byEnv = `#!/usr/bin/env -S NAME=value ${dir.join("program")}\n`;
  writeFileSync(dir.join("by-env"), byEnv);
  writeFileSync(dir.join("fine"), "#!/usr/bin/env sh\necho fine\n");
  writeFileSync(dir.join("broken"), "#!/nowhere/interpreter\n");
  for (const name of ["script", "by-env", "fine", "broken"]) chmodSync(dir.join(name), 0o755);
  const run = (...argv: string[]) => here.run([...RUN, ...argv], { cwd: dir.path });
  for (const name of ["script", "by-env"])
    expect((await run("--", `./${name}`)).stderr).toStartWith(
      `xsocket: ./${name} (run by ${dir.join("program")}) would open no port there, since it is statically linked`,
    );
  expect(await run("--force", "--", "./script")).toEqual({ code: 0, stdout: "", stderr: "" });
  expect(await run("--", "./fine")).toEqual({ code: 0, stdout: "fine\n", stderr: "" });
  expect((await run("--", "./broken")).stderr).toContain("/nowhere/interpreter is missing");
});

/* The words after "#!", quoted for bash. */
test.each([
  ["lies at a path beyond ASCII", '"$PWD/caf\u00e9/sh"'],
  ["lies at a path that is no text", "\"$PWD/\"$'\\xff/sh'"],
  ["comes after an option of env(1) that takes a word", "'/usr/bin/env -S -u NAME sh'"],
  ["comes after a variable for env(1)", "'/usr/bin/env -S NAME=value sh'"],
  ["is quoted for env(1)", "'/usr/bin/env -S \"sh\"'"],
])("finds an interpreter that %s", async (_where, line) => {
  using dir = tempDir();
  const shells = `mkdir caf\u00e9 $'\\xff' && cp /bin/sh caf\u00e9 && cp /bin/sh $'\\xff'`;
  const script = `printf '#!%s\\necho fine\\n' ${line} >script && chmod +x script`;
  const start = `${shells} && ${script} && ${typed(...RUN)} -- ./script`;
  const result = await here.run(["bash", "-c", start], { cwd: dir.path });
  expect(result).toEqual({ code: 0, stdout: "fine\n", stderr: "" });
});

test("finds a program in a directory that is not UTF-8 or not readable", async () => {
  using dir = tempDir();
  const prepared = `mkdir $'\\xff' && cd $'\\xff' && cp /bin/echo program && chmod 0111 program`;
  const run = typed(...HELD_TO_MODES, ...RUN, "--");
  const script = `${prepared} && ${run} ./program path && PATH=$PWD:$PATH ${run} program name && mv program .. && cd .. && ${run} ./program unread`;
  const result = await here.run(["bash", "-c", script], { cwd: dir.path });
  expect(result).toEqual({ code: 0, stdout: "path\nname\nunread\n", stderr: "" });
});

/* A relative name must be resolved as the kernel does: the absolute name may mean another file or none. */
test.each([
  ["below one that may not be entered", "chmod 0 .. && ", "./program"],
  [
    "of a relative entry of PATH, below one that may not be entered",
    "chmod 0 .. && PATH=.:$PATH && ",
    "program",
  ],
  ["that is gone, through another one", "rmdir ../in && ", "../out/program"],
  ["behind a link and ..", "ln -s ../out/deep link && ", "link/../program"],
  [
    "of PATH behind a link and ..",
    "ln -s ../out/deep link && PATH=$PWD/link/..:$PATH && ",
    "program",
  ],
])("finds a program in a directory %s", async (_where, prepared, name) => {
  using dir = tempDir();
  const made = "mkdir -p top/in top/out/deep && cp /bin/echo top/out/program && cd top/in";
  const isOut = name.includes("out") || prepared.includes("link");
  const copied = isOut ? "" : "cp /bin/echo program && ";
  const script = `${made} && ${copied}${prepared} exec "$@"`;
  const start = (...argv: string[]) =>
    here.run(["sh", "-c", script, "sh", ...HELD_TO_MODES, ...argv, name, "found"], {
      cwd: dir.path,
    });
  const plain = await start("env");
  await here.run(["sh", "-c", "chmod 700 top; rm -r top"], { cwd: dir.path });
  const under = await start(...RUN, "--");
  await here.run(["chmod", "700", "top"], { cwd: dir.path });
  expect(plain).toEqual({ code: 0, stdout: "found\n", stderr: "" });
  expect(under).toEqual(plain);
});

/* The roots of two tmpfs have the same inode number, and two directories of one file system the same device. */
test.skipIf(isContained).each([
  ["of another file system", "mount -t tmpfs none m &&", "mount -t tmpfs none"],
  ["of the same one", "", "mount --bind ../other"],
])("finds a program in a directory hidden by a later mount %s", async (_which, first, later) => {
  using dir = tempDir();
  const script = `mkdir m other && ${first} cd m && cp /bin/echo program && ${later} ../m && exec "$@"`;
  const start = [...OWN_MOUNTS, "sh", "-c", script, "sh", ...RUN, "--", "./program", "found"];
  const result = await here.run(start, { cwd: dir.path });
  expect(result).toEqual({ code: 0, stdout: "found\n", stderr: "" });
});

/* A relative entry of PATH means the current directory, and execvp(3) skips it if that may not be entered. */
test.each(["", "."])(
  "finds a program after %j in PATH if the current directory may not be entered",
  async (entry) => {
    using dir = tempDir();
    const script = `mkdir closed && cd closed && chmod 0 . && PATH=${entry}:$PATH && exec "$@"`;
    const start = [...HELD_TO_MODES, ...RUN, "--", "echo", "found"];
    const result = await here.run(["sh", "-c", script, "sh", ...start], { cwd: dir.path });
    chmodSync(dir.join("closed"), 0o700); // another user than root could not remove it
    expect(result).toEqual({ code: 0, stdout: "found\n", stderr: "" });
  },
);

test("finds a program without PATH where execvp(3) does", async () => {
  const result = await here.run(["env", "-u", "PATH", ...RUN, "--", "echo", "found"]);
  expect(result).toEqual({ code: 0, stdout: "found\n", stderr: "" });
});

test.each(["/bin/sh", "/usr/bin/env sh"])(
  "refuses a script of %s whose first line ends in a carriage return",
  async (interpreter) => {
    using dir = tempDir();
    writeFileSync(dir.join("script"), `#!${interpreter}\r\necho never\r\n`);
    chmodSync(dir.join("script"), 0o755);
    const { code, stdout, stderr } = await here.run([...RUN, "--", dir.join("script")]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(
      /^xsocket: cannot run [^\n]*: its first line ends in a carriage return, so [^\n]*\n$/,
    );
  },
);

/* The kernel does not search PATH, unlike env(1). */
test.each([
  ["sh", "./sh"],
  ["env sh", "./env"],
  ["/nowhere/env sh", "/nowhere/env"],
])("refuses a script whose interpreter is %s, which is missing", async (line, missing) => {
  using dir = tempDir();
  writeFileSync(dir.join("script"), `#!${line}\necho never\n`);
  chmodSync(dir.join("script"), 0o755);
  const { code, stdout, stderr } = await here.run([...RUN, "--", "./script"], { cwd: dir.path });
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toStartWith(
    `xsocket: cannot run ./script: its interpreter ${missing} is missing, `,
  );
});

test("runs a set-user-ID program where the bit has no effect", async () => {
  using dir = tempDir();
  await buildProgram(dir.path, SET_USER);
  const argv = ["setpriv", "--no-new-privs", ...RUN, "--", "./program", "--version"];
  expect(await here.run(argv, { cwd: dir.path })).toMatchObject({ code: 0, stderr: "" });
});

test.skipIf(!isRoot || isContained)(
  "runs a set-user-ID program on a file system with nosuid",
  async () => {
    using dir = tempDir();
    await buildProgram(dir.path, "gcc");
    mkdirSync(dir.join("m"));
    const script = `mount -t tmpfs -o "$1" own m && cp program m && chown 65534 m/program &&
    chmod 4755 m/program && shift && exec "$@"`;
    const run = (option: string) => {
      const argv = [...OWN_MOUNTS, "sh", "-c", script, "sh", option, ...RUN, "--", "./m/program"];
      return here.run(argv, { cwd: dir.path });
    };
    expect((await run("suid")).stderr).toContain("it is set-user-ID");
    expect(await run("nosuid")).toMatchObject({ code: 0, stderr: "" });
  },
);

const GIVE = `import os, struct, sys
os.setxattr(sys.argv[1], "security.capability", struct.pack("<5I", 0x2000001, 1 << 10, 0, 0, 0))`;

/* setcap(8) may not be installed. */
test.skipIf(!isRoot || isContained)(
  "refuses a program with file capabilities except for root or under nosuid",
  async () => {
    using dir = tempDir();
    await buildProgram(dir.path, "gcc");
    const program = dir.join("program");
    const given = await here.run(["python3", "-c", GIVE, program]);
    expect(given).toEqual({ code: 0, stdout: "", stderr: "" });
    const words = [...RUN.slice(1), "--", program];
    const { code, stderr } = await here.run(xsocketForEveryone(dir, words, asOrdinaryUser([])));
    expect(stderr).toMatch(
      /^xsocket: .*its file gives it capabilities.*\(setcap -r \S+\)[^\n]*\n$/,
    );
    expect(code).toBe(1);
    const nosuid =
      'mount --bind "$1" "$1" && mount -o remount,bind,nosuid "$1" && shift && exec "$@"';
    using other = tempDir();
    const argv = xsocketForEveryone(other, words, asOrdinaryUser([]));
    const ignored = [...OWN_MOUNTS, "sh", "-c", nosuid, "sh", dir.path, ...argv];
    expect((await here.run(ignored)).code).toBe(0);
    expect((await here.run([...RUN, "--", program])).code).toBe(0);
  },
);

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

test("runs a file without an interpreter line by sh, as execvp(3) does", async () => {
  using dir = tempDir();
  writeFileSync(dir.join("plain"), "echo plain\n");
  chmodSync(dir.join("plain"), 0o755);
  const { stdout } = await here.run([...RUN, "--", dir.join("plain")]);
  expect(stdout).toBe("plain\n");
});

function checked(socket: string): string[] {
  return [XSOCKET, "run", "--check", "--port", "3000", "--socket", socket, "--", "echo", "ran"];
}

test.skipIf(isContained)(
  "--check fails without a server and runs the program with one",
  async () => {
    const failed = await here.run(checked("/nowhere/control"));
    expect(failed).toMatchObject({ code: 1, stdout: "" });
    expect(failed.stderr).toMatch(
      /^xsocket: cannot get .*\/nowhere\/control.*ENOENT.*xsocket serve.*\n$/,
    );

    await using target = await createNamespace();
    await using server = await startServer({ place: target });
    expect(await here.run(checked(server.path))).toEqual({ code: 0, stdout: "ran\n", stderr: "" });
  },
);

const CHECK_MS = 5000; // how long --check waits for a server

test.each([
  ["", []],
  [", though it ignores SIGTERM", ["env", "--ignore-signal=TERM"]],
  [", though it has all signals blocked", ["env", "--block-signal"]],
])("Bun ends with a launcher that is killed%s", async (_state, start) => {
  using dir = tempDir();
  using _ = silentServer(dir.join("silent"), 1); // so that Bun has something to wait for
  await using launcher = here.spawn([...start, ...checked(dir.join("silent"))]);
  const { pid } = launcher;
  const look = () => readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  const bun = await eventually("Bun", () => look() || undefined);
  await eventually("it to be Bun", () => commandLine(bun).includes("--no-install"));
  launcher.kill("SIGKILL");
  await eventually("its end", () => commandLine(bun) === "", CHECK_MS - 2000);
});

/* The command line of a process, empty after its end. */
function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

test.skipIf(!hasCookies)("--check warns of a server in the same namespace", async () => {
  await using server = await startServer();
  const run = [
    XSOCKET,
    "run",
    "--check",
    "--port",
    "tcp/1",
    "--socket",
    server.path,
    "--",
    "echo",
    "ran",
  ];
  const { code, stdout, stderr } = await here.run(run);
  expect({ code, stdout }).toEqual({ code: 0, stdout: "ran\n" });
  expect(stderr).toContain("this network namespace itself");
});

test("resolves a relative XSOCKET_LIBDIR in the current directory", async () => {
  using dir = tempDir();
  mkdirSync(dir.join("lib"));
  copyFileSync(libraryPath("xbind"), dir.join("lib/libxbind.so"));
  const env = { XSOCKET_LIBDIR: "lib", LD_PRELOAD: undefined };
  const { stdout } = await here.run([XSOCKET, "lib", "xbind"], { env, cwd: dir.path });
  expect(stdout).toBe(`${dir.join("lib/libxbind.so")}\n`);
});
