/* Programs that run refuses, since they would open no port there. */
import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import {
  asOrdinaryUser,
  expectSentence,
  here,
  isAlone,
  isContained,
  isRoot,
  OWN_MOUNTS,
  tempDir,
  XSOCKET,
  xsocketForEveryone,
} from "../harness/index.ts";
import { quietRun } from "./quiet.ts";

const RUN = await quietRun();
const CONTROL = RUN[3]; // the path of its server

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
  ...(isAlone ? {} : { "a set-user-ID program": [SET_USER, /set-user-ID/] }),
};

async function buildProgram(directory: string, build: string): Promise<void> {
  writeFileSync(`${directory}/program.c`, "int main(void) { return 0; }\n");
  const [compile = "", ...rest] = build.split(" && ");
  const script = [`${compile} -o program program.c`, ...rest].join(" && ");
  const { code, stderr } = await here.run(["sh", "-c", script], { cwd: directory });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
}

test.each(Object.entries(BUILDS))("refuses %s in one sentence", async (_name, [build, says]) => {
  using dir = tempDir();
  await buildProgram(dir.path, build);
  expectSentence(await here.run([...RUN, "--", "./program"], { cwd: dir.path }), 1, says);
});

/* Root's sudo is preloaded despite set-user-ID, but the program that it starts is not. */
test.each(["sudo", "run0", "env -i"])(
  "refuses %s, which removes LD_PRELOAD from the environment",
  async (start) => {
    const [name = "", ...words] = start.split(" ");
    using dir = tempDir();
    await buildProgram(dir.path, `gcc && mv program ${name} && touch program`);
    const run = (...argv: string[]) => here.run([...RUN, ...argv], { cwd: dir.path });
    const says = /^xsocket: \.\/\w+ would open no port.*LD_PRELOAD.*after it/;
    expectSentence(await run("--", `./${name}`, ...words, "true"), 1, says);
    expect((await run("--force", "--", `./${name}`)).code).toBe(0);
  },
);

/* The first as in every guide to a VPN in a namespace. */
test.each([
  "ip netns exec vpn",
  "nsenter -t 1 --net=/run/netns/vpn",
  "env -u NAME PORT=80",
  "nice -n 5",
  "timeout -k 5s 1.5h",
  "nohup",
  "setsid -fw",
  "stdbuf -oL -e 0",
  "ionice -c2 -n 7",
  "chrt -f 10",
  "taskset -c 0-1,3",
])("looks at the program that %s starts", async (start) => {
  const [name = "", ...words] = start.split(" ");
  using dir = tempDir();
  await buildProgram(dir.path, `gcc && cp program ${name} && mv program sudo`);
  const run = (...argv: string[]) => here.run(argv, { cwd: dir.path });
  const argv = ["--", `./${name}`, ...words];
  const refused = await run(...RUN, ...argv, "./sudo", "true");
  expectSentence(refused, 1, /^xsocket: \.\/sudo would open no port there/);
  expect((await run(...RUN, ...argv, `./${name}`)).code).toBe(0);
  expect((await run(...RUN, "--force", ...argv, "./sudo")).code).toBe(0);
  const doctor = await run(XSOCKET, "doctor", CONTROL, ...argv, "./sudo", "true");
  expect(doctor.stdout).toMatch(/FAILED +program +\.\/sudo: it drops LD_PRELOAD/);
});

test("does not guess what is started if words of env, nsenter or timeout are not understood", async () => {
  using dir = tempDir();
  await buildProgram(dir.path, "gcc && cp program env && cp program nsenter && cp program timeout");
  await buildProgram(dir.path, "gcc && mv program sudo");
  for (const start of [
    "env -C /",
    "env PATH=/nowhere",
    "env -u PATH",
    "env --unset=PATH",
    "env",
    "nsenter -t 1 -m",
    "timeout 5x",
  ]) {
    const argv = [...RUN, "--", ...`./${start}`.split(" "), "./sudo"];
    const { code, stderr } = await here.run(argv, { cwd: dir.path });
    expect([start, code, stderr]).toEqual(
      start === "env" ? [start, 1, expect.stringContaining("./sudo")] : [start, 0, ""],
    );
  }
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
  const says = /would open no port there, since it gives a container.*run --print/;
  expectSentence(await here.run([...RUN, "--", "./podman"], { cwd: dir.path }), 1, says);
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

test.each(["/bin/sh", "/usr/bin/env sh"])(
  "refuses a script of %s whose first line ends in a carriage return",
  async (interpreter) => {
    using dir = tempDir();
    writeFileSync(dir.join("script"), `#!${interpreter}\r\necho never\r\n`);
    chmodSync(dir.join("script"), 0o755);
    const says = /^xsocket: cannot run .*: its first line ends in a carriage return, so /;
    expectSentence(await here.run([...RUN, "--", dir.join("script")]), 1, says);
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
  const says = `xsocket: cannot run ./script: its interpreter ${missing} is missing, `;
  expectSentence(await here.run([...RUN, "--", "./script"], { cwd: dir.path }), 1, says);
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
    const refused = await here.run(xsocketForEveryone(dir, words, asOrdinaryUser([])));
    expectSentence(refused, 1, /its file gives it capabilities.*\(setcap -r \S+\)/);
    const nosuid =
      'mount --bind "$1" "$1" && mount -o remount,bind,nosuid "$1" && shift && exec "$@"';
    using other = tempDir();
    const argv = xsocketForEveryone(other, words, asOrdinaryUser([]));
    const ignored = [...OWN_MOUNTS, "sh", "-c", nosuid, "sh", dir.path, ...argv];
    expect((await here.run(ignored)).code).toBe(0);
    expect((await here.run([...RUN, "--", program])).code).toBe(0);
  },
);
