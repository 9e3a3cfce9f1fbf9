import { expect, test } from "bun:test";
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { libraryPath } from "@xsocket/xbind-native";
import {
  guardDescriptors,
  HELD_TO_MODES,
  here,
  startServer,
  tempDir,
  XSOCKET,
} from "../harness/index.ts";

guardDescriptors();

interface Case {
  readonly argv: readonly string[];
  readonly code: 1 | 2;
  /** What the sentence must hold: what is wrong, and the remedy. */
  readonly says: readonly string[];
}

const LONG = `/tmp/${"x".repeat(120)}`;
const RUN = ["run", "--socket", "@nobody"];

const SERVE: Record<string, Case> = {
  "a path below a plain file": {
    argv: ["serve", "/etc/passwd/of/xsocket"],
    code: 1,
    says: ["/etc/passwd is no directory", "another path"],
  },
  "a file system without sockets": {
    argv: ["serve", "/proc/xsocket"],
    code: 1,
    says: ["cannot make /proc/xsocket", "on a file system that takes sockets"],
  },
  "a path too long": { argv: ["serve", LONG], code: 2, says: [LONG, "108", "shorter path"] },
  "an empty name": { argv: ["serve", "@"], code: 2, says: ["empty", "@name"] },
  "a mode that is none": { argv: ["serve", "--mode", "rw"], code: 2, says: ['"rw"', "0660"] },
  "a mode of more than permissions": {
    argv: ["serve", "--mode", "4660", "/nowhere/xsocket"],
    code: 2,
    says: ['"4660"', "0660"],
  },
  "a mode for an abstract name": {
    argv: ["serve", "--mode", "0600", "@xsocket-bad"],
    code: 2,
    says: ["abstract", "path"],
  },
  "a group that there is not": {
    argv: ["serve", "--group", "no-such-group", "/tmp/xsocket-bad/s"],
    code: 1,
    says: ['there is no group "no-such-group"', "groupadd"],
  },
  "users of nothing": {
    argv: ["serve", "--allow-user", ",", "/nowhere/xsocket"],
    code: 2,
    says: ["--allow-user", '","', "commas between"],
  },
  "a group of nothing among others": {
    argv: ["serve", "--allow-group", "root,,0", "/nowhere/xsocket"],
    code: 2,
    says: ["--allow-group", '"root,,0"', "commas between"],
  },
  "no threads": { argv: ["serve", "--threads", "0"], code: 2, says: ["--threads", "from 1 to 64"] },
  "a bound out of range": {
    argv: ["serve", "--max-in-flight-per-user", "3000000000"],
    code: 2,
    says: ["--max-in-flight-per-user", "from 1 to 2147483647"],
  },
  "a quota of nothing": {
    argv: ["serve", "--sockets-per-minute", "0", "/nowhere/xsocket"],
    code: 2,
    says: ["--sockets-per-minute", "from 1 to 16777215"],
  },
  "a path of metrics that does not fit": {
    argv: ["serve", "--metrics", `/nowhere/${"x".repeat(108)}`, `@bad-input-${process.pid}`],
    code: 2,
    says: ["does not fit a UNIX socket address"],
  },
  "metrics where others can reach them": {
    argv: ["serve", "--metrics", "0.0.0.0:1", "/nowhere/xsocket"],
    code: 2,
    says: ["--metrics-remote"],
  },
  "metrics at any port": {
    argv: ["serve", "--metrics", "0", "/nowhere/xsocket"],
    code: 2,
    says: ["port 0 is any free one"],
  },
  "leave for metrics that there are not": {
    argv: ["serve", "--metrics-remote", "/nowhere/xsocket"],
    code: 2,
    says: ["add --metrics ADDRESS"],
  },
  "a policy and rules beside it": {
    argv: ["serve", "--policy", "x", "--allow-user", "root", "/nowhere/xsocket"],
    code: 2,
    says: ["two ways to say the same"],
  },
  "a form of the log that there is not": {
    argv: ["serve", "--log-format", "xml", "/nowhere/xsocket"],
    code: 2,
    says: ["--log-format takes pretty or json or journal"],
  },
  "a level of the log that there is not": {
    argv: ["serve", "--log-level", "loud", "/nowhere/xsocket"],
    code: 2,
    says: ["--log-level takes error or warning or notice or info or debug"],
  },
  "threads that are no number": {
    argv: ["serve", "--threads", "0x8"],
    code: 2,
    says: ["--threads", "0x8", "from 1 to 64"],
  },
};

const CASES: Record<string, Case> = {
  "an unknown command": { argv: ["frob"], code: 2, says: ["frob", "xsocket --help"] },
  "an unknown option": {
    argv: ["lib", "--frob", "xbind"],
    code: 2,
    says: ["--frob", "xsocket lib --help"],
  },
  'a program without "--" before it': {
    argv: ["run", "--port", "1", "nc", "-l"],
    code: 2,
    says: ['"nc"', 'behind "--"'],
  },
  "an argument too many": { argv: ["lib", "xbind", "b"], code: 2, says: ['"b"', "--help"] },
  "a library that there is not": { argv: ["lib", "frob"], code: 2, says: ["frob", "xbind"] },
  "no library": { argv: ["lib"], code: 2, says: ["xsocket lib xbind"] },
  "run without a port": { argv: ["run", "--", "true"], code: 2, says: ["--port 3000"] },
  "run without a program": { argv: ["run", "--port", "1"], code: 2, says: ['"--"'] },
  "run with an empty program": { argv: ["run", "--port", "1", "--"], code: 2, says: ['"--"'] },
  "an empty variable as a program": {
    argv: ["run", "--port", "1", "--", "", "argument"],
    code: 2,
    says: ["the program's name is empty", "xsocket run --help"],
  },
  "a port that is none": {
    argv: [...RUN, "--port", "http", "--", "true"],
    code: 2,
    says: ['"http" is no port', "65535"],
  },
  "an option without its value": { argv: ["run", "--port"], code: 2, says: ["needs a value"] },
  "a socket path too long": {
    argv: ["run", "--port", "1", "--socket", LONG, "--", "true"],
    code: 2,
    says: [LONG, "108", "shorter"],
  },
  "an empty socket path": {
    argv: ["run", "--port", "1", "--socket", "", "--", "true"],
    code: 2,
    says: ["the option --socket needs a value"],
  },
  "an empty variable as a policy": {
    argv: ["serve", "--policy="],
    code: 2,
    says: ["the option --policy needs a value", "xsocket serve --help"],
  },
  "an empty variable as a user": {
    argv: ["serve", "--user", "", "/nowhere/xsocket"],
    code: 2,
    says: ["the option --user needs a value"],
  },
  "an option before the command": {
    argv: ["--socket", "/nowhere/xsocket", "run"],
    code: 2,
    says: ["there is no option --socket before the command"],
  },
  "a port too large for open": {
    argv: ["open", "--port", "65536"],
    code: 2,
    says: ["--port", "from 0 to 65535", '"65536"'],
  },
  "open without a program behind --exec": {
    argv: ["open", "--exec"],
    code: 2,
    says: ["no program is given", "--exec PROGRAM"],
  },
  "an empty variable behind --exec": {
    argv: ["open", "--exec", ""],
    code: 2,
    says: ["the program's name is empty", "xsocket open --help"],
  },
  "a program that there is not for a socket that nobody is to make": {
    argv: ["open", "/nowhere/control", "--exec", "no-such-program"],
    code: 1,
    says: ["cannot run no-such-program"],
  },
  "too short a time to measure": {
    argv: ["bench", "--seconds", "0.09"],
    code: 2,
    says: ["--seconds", "from 0.1 to 60", '"0.09"'],
  },
  "too long a time to measure": {
    argv: ["bench", "--seconds", "60.1"],
    code: 2,
    says: ["--seconds", "from 0.1 to 60"],
  },
  "a time to measure that is none": {
    argv: ["bench", "--seconds", "long"],
    code: 2,
    says: ["--seconds", '"long"'],
  },
  "a program that there is not": {
    argv: [...RUN, "--port", "1", "--", "no-such-program"],
    code: 1,
    says: ["no-such-program"],
  },
  "a program that is a directory": {
    argv: [...RUN, "--port", "1", "--", "/etc"],
    code: 1,
    says: ["/etc: it is a directory", "path of a program"],
  },
  "a program that is no program": {
    argv: [...RUN, "--port", "1", "--", "/etc/passwd"],
    code: 1,
    says: ["/etc/passwd: it is not executable", "chmod +x"],
  },
  "a path of a program that there is not": {
    argv: [...RUN, "--port", "1", "--", "/nowhere/program"],
    code: 1,
    says: ["there is no such file", "check its path"],
  },
  "a word that JavaScript knows": {
    argv: ["constructor"],
    code: 2,
    says: ['no command "constructor"'],
  },
  "a mistyped command": { argv: ["sevre"], code: 2, says: ["did you mean serve?"] },
  "a mistyped option": { argv: ["run", "--prot", "1"], code: 2, says: ["did you mean --port?"] },
  "a mistyped option of all": { argv: ["--verison"], code: 2, says: ["did you mean --version?"] },
  "a user that cannot be": {
    argv: ["policy", "test", "/dev/null", "--uid", "4294967295"],
    code: 2,
    says: ["--uid", "4294967294"],
  },
  "a choice that there is not": {
    argv: ["open", "--family", "5"],
    code: 2,
    says: ["--family takes 4 or 6", '"5"'],
  },
};

/* One clear sentence on stderr, nothing on stdout, the exit code, and no stack trace. */
async function expectSentence(argv: readonly string[], { code, says }: Omit<Case, "argv">) {
  const result = await here.run(argv);
  expect(result).toMatchObject({ code, stdout: "" });
  expect(result.stderr).toMatch(/^xsocket: [^\n]+\n$/);
  expect(result.stderr).not.toMatch(/\bat .*:\d+|node_modules|\.ts\b|undefined|\[object/);
  for (const words of says) expect(result.stderr).toContain(words);
}

test.each(Object.entries({ ...CASES, ...SERVE }))(
  "%s is one sentence",
  async (_name, { argv, ...expected }) => {
    await expectSentence([XSOCKET, ...argv], expected);
  },
);

/* bash, because only a shell can spell such an argument here. */
test.each([
  "serve $'/tmp/\\xff/control'",
  "serve $'@\\xff'",
  "run --port 1 --socket $'\\xff' -- true",
  "status control",
  "serve --policy rules.toml @nobody",
])("what is not UTF-8 is one sentence, and no other file: %s", async (words) => {
  using dir = tempDir();
  const script = `cd "$1" && mkdir $'\\xff' && cd $'\\xff' && exec ${XSOCKET} ${words}`;
  await expectSentence(["bash", "-c", script, "bash", dir.path], {
    code: 2,
    says: ["is not UTF-8", "link"],
  });
});

const STREAM = "s = socket.socket(socket.AF_UNIX)";
const PACKETS = "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)";

const answering = (answer: string) => `c.recv(99)\nc.send(b"${answer}")`;

/* A program of another kind that listens at a path, and what it does with a connection before it ends. */
function otherServer(path: string, make: string, act: string) {
  const serve = `import socket\n${make}\ns.bind("${path}")\ns.listen()\nprint("ready", flush=True)\nc, _ = s.accept()\n${act}`;
  return here.spawn(["python3", "-c", serve]);
}

test.each([
  ["of another kind", STREAM, "Name the control socket", answering("garbage")],
  ["that answers in another language", PACKETS, "nothing else", answering("garbage")],
  ["that has another status", PACKETS, "nothing else", answering("XS04{}")],
  ["that has no JSON", PACKETS, "nothing else", answering("XS04{")],
  ["of a server without memory", PACKETS, "Free some there", answering(String.raw`XS02\0\0\0\x69`)],
  ["whose server ends", PACKETS, "The server was stopped", "c.recv(99, socket.MSG_PEEK)"],
])("status at a socket %s is one sentence", async (_kind, make, remedy, act) => {
  using dir = tempDir();
  const path = dir.join("control");
  await using other = otherServer(path, make, act);
  await other.says(/ready/);
  await expectSentence([XSOCKET, "status", path], { code: 1, says: [path, remedy] });
});

test("status with a library of another version does not blame the server", async () => {
  await using server = await startServer();
  using dir = tempDir();
  copyFileSync(libraryPath("xbind"), dir.join("libxsocket.so"));
  const argv = ["env", `XSOCKET_LIBDIR=${dir.path}`, XSOCKET, "status", server.path];
  await expectSentence(argv, {
    code: 1,
    says: [dir.join("libxsocket.so"), "see that it is of this version"],
  });
});

test("run says beforehand that the socket is another program's", async () => {
  using dir = tempDir();
  const path = dir.join("control");
  await using other = otherServer(path, STREAM, answering("garbage"));
  await other.says(/ready/);
  const run = [XSOCKET, "run", "--port", "1", "--socket", path, "--", "echo", "ran"];
  const { stdout, stderr } = await here.run(run);
  expect(stdout).toBe("ran\n");
  expect(stderr).toMatch(/^xsocket: warning: [^\n]* another program's socket[^\n]*\n$/);
});

test("a directory without permission is one sentence", async () => {
  using dir = tempDir(0o755);
  const closed = join(dir.path, "closed");
  mkdirSync(closed, { mode: 0o500 });
  const start = [...HELD_TO_MODES, XSOCKET, "serve", join(closed, "socket")];
  await expectSentence(start, { code: 1, says: [closed, "EACCES", "another user"] });
});

test("no command at all is misuse, and shows what there is", async () => {
  const { code, stdout, stderr } = await here.run([XSOCKET]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain("USAGE xsocket");
});

test("a Bun that is not there is one sentence", async () => {
  for (const path of ["/nowhere/bun", "/usr/bin", "/etc/passwd"])
    await expectSentence(["env", `XSOCKET_BUN=${path}`, XSOCKET, "--version"], {
      code: 1,
      says: [path, "absolute path of Bun"],
    });
  await expectSentence(["env", "XSOCKET_BUN=bun", XSOCKET, "--version"], {
    code: 1,
    says: ["absolute"],
  });
});

test("a launcher without the rest of the command is one sentence", async () => {
  using dir = tempDir();
  const alone = dir.join("xsocket");
  copyFileSync(XSOCKET, alone);
  for (const argv of [["--version"], ["run", "--port", "1", "--", "true"]])
    await expectSentence([alone, ...argv], {
      code: 1,
      says: ["lib/xsocket/main.js", "with all its files"],
    });
});

test("each mistake of a policy has a line, with file and line in front", async () => {
  using dir = tempDir();
  const policy = dir.join("policy.toml");
  const types = Array(8).fill('"tcp"').join();
  const rules = `[[rule]]\naction = "alow"\n\n[[rule]]\naction = "deny"\ntype = [${types}]\n`;
  await Bun.write(policy, rules);
  for (const argv of [
    ["policy", "check", policy],
    ["serve", "--policy", policy, dir.join("control")],
  ]) {
    const { code, stdout, stderr } = await here.run([XSOCKET, ...argv]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr.replaceAll(/^xsocket: .*\/policy\.toml:(\d+): (rule \d): .*$/gm, "$1 $2")).toBe(
      `2 rule 1\n${"6 rule 2\n".repeat(8)}`,
    );
  }
});

test.each(["--help", "run --help", "lib xbind", "doctor @none", "serve --help"])(
  "%s ends in silence when nobody reads, and in a sentence when nothing can be written",
  async (words) => {
    const unread = `(sleep 0.1; exec ${XSOCKET} ${words}) | true; echo "\${PIPESTATUS[0]}"`;
    for (const disposition of ["", "trap '' PIPE; "])
      expect(await here.run(["bash", "-c", disposition + unread])).toMatchObject({
        stdout: "141\n",
        stderr: "",
      });
    for (const where of ["/dev/full", "&-"]) {
      const result = await here.run(["bash", "-c", `${XSOCKET} ${words} >${where}`]);
      expect(result.code).toBe(1);
      expect(result.stderr).toMatch(
        /^xsocket: the result cannot be written[^\n]* see where [^\n]*\n$/,
      );
    }
  },
);

/* Starts a program with a pipe that is small and does not block, and reads only once it is full. */
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
])(
  "a result that is longer than a pipe has room for arrives whole, at the reader's pace, written %s",
  async (_by, words) => {
    const argv = [XSOCKET, ...words];
    const whole = await here.run(argv);
    expect(whole.stdout.length).toBeGreaterThan(4096);
    expect(await here.run(["python3", "-c", SLOW_READER, ...argv])).toEqual(whole);
  },
);

test("a warning is one line, whatever the path", async () => {
  const argv = [
    XSOCKET,
    "run",
    "--socket",
    "/nosuch/a\nb\rc\b\u001B[31m",
    "--port",
    "1",
    "--",
    "true",
  ];
  const { code, stderr } = await here.run(argv);
  expect(stderr).toMatch(
    /^xsocket: warning: [^\n]+ through \/nosuch\/a b c: there is no such control socket[^\n]+\n$/,
  );
  expect(stderr.trimEnd()).not.toMatch(/\p{Cc}/u);
  expect(code).toBe(0);
});

/* These are the launcher's words. */
test.each([
  ["run --force --port 1 --socket /nowhere/s --", "/nowhere/a\nb\u001B[31m\u009B\u007F\u00E9", {}],
  ["lib xbind", "", { XSOCKET_BUN: "/nowhere/a\nb\u001B[31m\u009B\u007F\u00E9" }],
])("an error of %s is one line, whatever the path", async (words, name, env) => {
  const argv = [XSOCKET, ...words.split(" "), ...(name ? [name] : [])];
  const { code, stderr } = await here.run(argv, { env });
  expect(stderr).toMatch(
    /^(?:xsocket: warning: .*\n)?xsocket: .*\/nowhere\/a b \[31m +\u00E9.*\n$/,
  );
  expect(stderr).not.toMatch(/[^\P{Cc}\n]/u);
  expect(code).toBe(1);
});

test("status --watch ends with its reader", async () => {
  await using server = await startServer();
  const watch = `timeout 20 ${XSOCKET} status --watch ${server.path} | head -n 1; echo "\${PIPESTATUS[0]}"`;
  const { stdout, stderr } = await here.run(["bash", "-c", watch]);
  expect(stderr).toBe("");
  expect(stdout).toMatch(/^server .*\n141\n$/);
});

test("each command tells the version", async () => {
  const { stdout } = await here.run([XSOCKET, "--version"]);
  for (const argv of [["serve"], ["run"], ["doctor"]])
    expect((await here.run([XSOCKET, ...argv, "--version"])).stdout).toBe(stdout);
  expect((await here.run([`${XSOCKET}-server`, "--version"])).stdout).toBe(stdout);
});

test("help is a result: on stdout, with exit code 0", async () => {
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

test("a program's own --help is its own", async () => {
  const { stdout } = await here.run([
    XSOCKET,
    ...RUN,
    "--port",
    "1",
    "--",
    "printf",
    "%s",
    "--help",
  ]);
  expect(stdout).toBe("--help");
});
