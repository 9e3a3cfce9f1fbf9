/* What the command prints, in full and on one line each, whoever reads it. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { expectSentence, here, startServer, tempDir, typed, XSOCKET } from "../harness/index.ts";

/* A pipe that nobody reads any more, as descriptor 4. */
const UNREAD = "mkfifo pipe && exec 3<>pipe 4>pipe 3>&-";

test.each(["--help", "run --help", "lib xbind", "doctor @none", "serve --help"])(
  "%s exits silently on a closed pipe and with a message on a write error",
  async (words) => {
    for (const disposition of ["", "trap '' PIPE; "]) {
      using dir = tempDir();
      const script = `${disposition}${UNREAD}; ${typed(XSOCKET)} ${words} >&4; echo $?`;
      expect(await here.run(["bash", "-c", script], { cwd: dir.path })).toMatchObject({
        stdout: "141\n",
        stderr: "",
      });
    }
    for (const where of ["/dev/full", "&-"]) {
      const result = await here.run(["bash", "-c", `${typed(XSOCKET)} ${words} >${where}`]);
      expect(result.code).toBe(1);
      expect(result.stderr).toMatch(
        /^xsocket: the result cannot be written[^\n]* check where [^\n]*\n$/,
      );
    }
  },
);

test("run and open say what is wrong, and run starts the program, where a file may not grow", async () => {
  using dir = tempDir();
  const ends = (where: string, argv: readonly string[]) => {
    const script = `ulimit -c 0; ulimit -f 0; "$@" ${where}`; // SIGXFSZ would leave a core dump
    return here.run(["bash", "-c", script, "bash", ...argv], { cwd: dir.path });
  };
  const run = [XSOCKET, "run", "--port", "1", "--socket", "/nowhere/s"];
  expectSentence(await ends(">out", [...run, "--print"]), 1, /written: File too large, so check /);
  expect(await ends("2>log", [...run, "--", "echo", "started"])).toMatchObject({
    code: 0,
    stdout: "started\n",
  });
  expect((await ends("2>log", [XSOCKET, "open", "/nowhere/s"])).code).toBe(1);
  expect((await ends("2>log", ["env", "XSOCKET_BUN=none", XSOCKET, "lib"])).code).toBe(1);
});

/* Starts a program with a small non-blocking pipe as stdout, and reads only once the pipe is full. */
const SLOW_READER = `
import array, fcntl, os, subprocess, sys, termios, time
reader, writer = os.pipe()
os.set_blocking(writer, False)
size = fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
program = subprocess.Popen(sys.argv[1:], stdout=writer)
os.close(writer)
waiting = array.array("i", [0])
while program.poll() is None and waiting[0] < size:
    time.sleep(0.01)
    fcntl.ioctl(reader, termios.FIONREAD, waiting)
sys.stdout.buffer.write(open(reader, "rb").read())
sys.exit(program.wait())
`;

test.each([
  ["itself", ["completions", "zsh"]],
  ["by the launcher", ["run", "--print", "--port", Array(2000).fill("10000").join()]],
])("writes a result larger than the pipe in full, written %s", async (_by, words) => {
  const argv = [XSOCKET, ...words];
  const whole = await here.run(argv);
  expect(whole.stdout.length).toBeGreaterThan(4096);
  expect(await here.run(["python3", "-c", SLOW_READER, ...argv])).toEqual(whole);
});

test("prefixes messages with their priority when stderr is the journal", async () => {
  using dir = tempDir();
  const script = 'exec 2>log; JOURNAL_STREAM=$(stat -c %d:%i log) exec "$@"';
  const said = async (...words: readonly string[]) => {
    await here.run(["sh", "-c", script, "sh", ...words], { cwd: dir.path });
    return readFileSync(dir.join("log"), "utf8");
  };
  expect(await said(XSOCKET, "lib", "frob")).toMatch(
    /^<3>xsocket: there is no library "frob"[^\n]*\n$/,
  );
  expect(await said(XSOCKET, "policy", "check", "/dev/null")).toMatch(
    /^<4>xsocket: warning: [^\n]*\n$/,
  );
  // these come by way of the launcher
  expect(await said(XSOCKET, "open", "--port", "x")).toMatch(/^<3>xsocket: [^\n]*\n$/);
  const run = [XSOCKET, "run", "--port", "1", "--socket", "/nowhere/s", "--"];
  const program = ["sh", "-c", 'test "$JOURNAL_STREAM" = "$(stat -c %d:%i log)" && echo same >&2'];
  expect(await said(...run, ...program)).toMatch(/^<4>xsocket: warning: [^\n]*\nsame\n$/);
  // and this is the launcher's own
  expect(await said("env", "XSOCKET_BUN=none", XSOCKET, "lib")).toMatch(
    /^<3>xsocket: XSOCKET_BUN is "none"[^\n]*\n$/,
  );
});

test("prints a warning on one line whatever the path", async () => {
  const run = [XSOCKET, "run", "--port", "1", "--socket", "/nosuch/a\nb\rc\b\u001B[31m"];
  const { code, stderr } = await here.run([...run, "--", "true"]);
  expect(stderr).toMatch(
    /^xsocket: warning: [^\n]+ through \/nosuch\/a b c: there is no such control socket[^\n]+\n$/,
  );
  expect(stderr.trimEnd()).not.toMatch(/\p{Cc}/u);
  expect(code).toBe(0);
});

/* These messages come from the launcher. */
test.each([
  ["run --force --port 1 --socket /nowhere/s --", "/nowhere/a\nb\u001B[31m\u009B\u007F\u00E9", {}],
  ["lib xbind", "", { XSOCKET_BUN: "/nowhere/a\nb\u001B[31m\u009B\u007F\u00E9" }],
])("prints an error of %s on one line whatever the path", async (words, name, env) => {
  const argv = [XSOCKET, ...words.split(" "), ...(name ? [name] : [])];
  const { code, stderr } = await here.run(argv, { env });
  expect(stderr).toMatch(
    /^(?:xsocket: warning: .*\n)?xsocket: .*\/nowhere\/a b \[31m +\u00E9.*\n$/,
  );
  expect(stderr).not.toMatch(/[^\P{Cc}\n]/u);
  expect(code).toBe(1);
});

test("status --watch ends when its reader closes the pipe", async () => {
  await using server = await startServer();
  const watch = `timeout 20 ${typed(XSOCKET)} status --watch ${server.path} | head -n 1; echo "\${PIPESTATUS[0]}"`;
  const { stdout, stderr } = await here.run(["bash", "-c", watch]);
  expect(stderr).toBe("");
  expect(stdout).toMatch(/^server .*\n141\n$/);
});

test("--version prints the same for each command", async () => {
  const { stdout } = await here.run([XSOCKET, "--version"]);
  for (const argv of [["serve"], ["run"], ["doctor"]])
    expect((await here.run([XSOCKET, ...argv, "--version"])).stdout).toBe(stdout);
  expect((await here.run([`${XSOCKET}-server`, "--version"])).stdout).toBe(stdout);
});

test("prints help on stdout with exit code 0", async () => {
  for (const [argv, usage] of [
    [["--help"], "USAGE xsocket serve|"],
    [["-h"], "USAGE xsocket serve|"],
    [["run", "--help"], "USAGE xsocket run [OPTIONS] -- PROGRAM [ARGUMENT...]\n"],
    [["lib", "-h"], "USAGE xsocket lib <NAME>\n"],
    [["policy", "-h"], "USAGE xsocket policy [OPTIONS] <ACTION> <FILE>\n"],
    [["status", "-h"], "USAGE xsocket status [OPTIONS] [ADDRESS]\n"],
    [["serve", "help"], "USAGE xsocket serve [OPTIONS] [ADDRESS]\n"],
  ] as const) {
    const { code, stdout, stderr } = await here.run([XSOCKET, ...argv]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(usage);
    expect(stdout).not.toContain("\u001b");
  }
});

test("run passes the program's own --help on", async () => {
  const run = [XSOCKET, "run", "--socket", "@nobody", "--port", "1", "--"];
  expect((await here.run([...run, "printf", "%s", "--help"])).stdout).toBe("--help");
});
