import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import {
  here,
  isContained,
  isRoot,
  OWN_MOUNTS,
  refusing,
  START,
  XSOCKET,
} from "../harness/index.ts";
import { quietRun } from "./quiet.ts";

const ODD_START = ["python3", join(import.meta.dir, "odd-start.py")];
const RUN = [...(await quietRun()), "--"];
const ARGUMENTS = RUN.slice(1);
const CONTROL = RUN[3];
const OURS = /^(?:LD_PRELOAD|XBIND|XSOCKET)=/;
/* The lines of /proc/PID/status that a program inherits; the others differ from run to run. */
const INHERITED =
  /^(?:Umask|PPid|TracerPid|[UG]id|Groups|Threads|SigPnd|ShdPnd|SigBlk|SigIgn|SigCgt|Cap\w+|NoNewPrivs|Seccomp):/;

interface Probe {
  readonly argv: readonly string[];
  /** The part of the output that is compared; all of it by default. */
  readonly settled?: (text: string) => unknown;
}

function environment(text: string): string[] {
  return text
    .split("\0")
    .filter((entry) => !OURS.test(entry))
    .toSorted();
}

function inherited(text: string): string[] {
  return text.split("\n").filter((line) => INHERITED.test(line));
}

/* Each descriptor's number and file, without the times and without the numbers of pipes. */
function files(text: string): string {
  return text.replaceAll(/^.* (\d+ -> )/gm, "$1").replaceAll(/\[\d+\]|\/proc\/\d+/g, "n");
}

/* One program for each kind of state that a process inherits, which prints that state. */
const PROBES: Record<string, Probe> = {
  environment: { argv: ["cat", "/proc/self/environ"], settled: environment },
  "signals, umask, user": { argv: ["cat", "/proc/self/status"], settled: inherited },
  limits: { argv: ["cat", "/proc/self/limits"] },
  descriptors: { argv: ["ls", "-l", "/proc/self/fd"], settled: files },
  "flags of streams and descriptors": { argv: ["grep", "-r", "flags", "/proc/self/fdinfo"] },
  "nice value": { argv: ["nice"] },
  "out-of-memory score": { argv: ["cat", "/proc/self/oom_score_adj"] },
  "current directory": { argv: ["readlink", "/proc/self/cwd"] },
  children: { argv: ["wc", "-w", "/proc/thread-self/children"] },
  arguments: { argv: ["printf", "<%s>", "", "a b", "--", "--help", "caf\u00e9", "\n", "--port"] },
};

async function compare(start: readonly string[], run: readonly string[], probe: Probe) {
  const { argv, settled = (text: string) => text } = probe;
  const plain = await here.run([...start, ...argv]);
  const under = await here.run([...start, ...run, ...argv]);
  expect(plain.stdout).not.toBe("");
  expect(settled(under.stdout)).toEqual(settled(plain.stdout));
  expect(under.stderr).toBe(plain.stderr);
  expect(under.code).toBe(plain.code);
}

describe.each(Object.entries(PROBES))(
  "a program under run inherits the same %s",
  (_name, probe) => {
    test("from an ordinary start", () => compare([], RUN, probe));
    test("from an unusual start", () => compare(ODD_START, RUN, probe));
  },
);

const PENDING: Probe = {
  argv: ["cat", "/proc/self/status"],
  settled: (text) => text.match(/^(?:Sig|Shd)Pnd:.*/gm),
};

/* A shell changes the state of SIGCHLD and nothing else. */
describe.each(["sh", "bash"])(
  "a program under npm's command, run by %s, inherits the same",
  (shell) => {
    const probes = Object.entries(PROBES).filter(([name]) => !name.startsWith("signals"));
    test.each([...probes, ["pending signals", PENDING] as const])("%s", (_name, probe) =>
      compare(ODD_START, [shell, START, ...ARGUMENTS], probe),
    );
  },
);

/* As in a sandbox with the /proc of outside, where its process ids belong to others. */
test.skipIf(isContained)(
  "npm's command keeps its environment under the /proc of another PID namespace",
  async () => {
    const inner = 'mount -t proc proc /proc && exec unshare --pid --fork env MINE=1 "$@"';
    const start = [...OWN_MOUNTS, "--pid", "--fork", "sh", "-c", inner, "sh"];
    await compare(start, [START, ...ARGUMENTS], PROBES["environment"] ?? { argv: [] });
  },
);

test.skipIf(isContained)("npm's command reports that /proc is not mounted", async () => {
  const start = [...OWN_MOUNTS, "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh"];
  expect(await here.run([...start, START, "lib", "xbind"])).toEqual({
    code: 1,
    stdout: "",
    stderr: "xsocket: /proc is not mounted: mount it, since Bun needs it too\n",
  });
});

test("run becomes the program, with the same process id", async () => {
  await using program = here.spawn([...RUN, "sh", "-c", "echo pid $$; exec sleep 60"]);
  const [, pid] = await program.says(/pid (\d+)/);
  expect(Number(pid)).toBe(program.pid);
});

test("run returns the program's exit code", async () => {
  expect((await here.run([...RUN, "sh", "-c", "exit 42"])).code).toBe(42);
  expect((await here.run([...RUN, "sh", "-c", "kill -9 $$"])).code).toBe(128 + 9);
});

test("run passes stdin, stdout and stderr through", async () => {
  const script = "cat; echo words >&2";
  const result = await here.run([...RUN, "sh", "-c", script], { stdin: "input" });
  expect(result).toEqual({ code: 0, stdout: "input", stderr: "words\n" });
});

test("run passes arguments that are not UTF-8 unchanged", async () => {
  const start = `import os; os.execv(b"${XSOCKET}", [b"xsocket", b"run", b"--port", b"1", b"--socket", b"${CONTROL}", b"--", b"printf", b"%s", b"\\xff\\xfe"])`;
  const [plain, under] = await Promise.all([
    here.run(["printf", "%b", "\\0377\\0376"]),
    here.run(["python3", "-c", start]),
  ]);
  expect(under).toEqual(plain);
});

const AFTER_A_CHILD =
  "import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD]); os.kill(os.getpid(), signal.SIGCHLD); os.execvp(sys.argv[1], sys.argv[1:])";

test.each([
  ["SIGCHLD ignored", ["env", "--ignore-signal=CHLD"]],
  ["SIGCHLD pending", ["python3", "-c", AFTER_A_CHILD]],
  ["SIGPWR ignored, which Bun's collector uses", ["env", "--ignore-signal=PWR"]],
])("run works with %s", async (_state, start) => {
  await compare(start, RUN, PROBES["signals, umask, user"] ?? { argv: [] });
});

test.each([
  ["2", ">&-"],
  ["0", "<&-"],
])("run works with descriptor %s closed", async (_fd, closed) => {
  const script = `exec "$@" ${closed}`;
  const start = ["sh", "-c", script, "sh"];
  const probe: Probe = { argv: ["ls", "-l", "/proc/self/fd"], settled: files };
  const plain = await here.run([...start, ...probe.argv]);
  const under = await here.run([...start, ...RUN, ...probe.argv]);
  expect(files(under.stdout)).toEqual(files(plain.stdout));
});

// only root lifts a hard limit, and Bun does not start below that one
const ADDRESS_SPACE = isRoot ? "-v 500000" : "-Sv 500000";

test.each([ADDRESS_SPACE, "-Sd 100000", "-s 256", "-f 0", "-n 16"])(
  "ulimit %s applies to the program and does not stop run",
  async (limit) => {
    const script = `ulimit ${limit}; exec "$@"`;
    await compare(["sh", "-c", script, "sh"], RUN, { argv: ["cat", "/proc/self/limits"] });
  },
);

test.each(["-Sv 300000", "-Sv 1000000", "-Sd 100000"])(
  "ulimit %s does not stop other commands",
  async (limit) => {
    const start = ["sh", "-c", `ulimit ${limit}; exec "$@"`, "sh"];
    const { stdout, stderr } = await here.run([...start, XSOCKET, "doctor", "@nobody"]);
    expect(stderr).toBe("");
    expect(stdout).toMatch(/^ok +libraries /);
  },
);

const HELD_TO_LIMITS = isRoot ? ["setpriv", "--bounding-set=-sys_resource"] : [];

test.each(["", "ulimit -Sv 300000; "])(
  "runs the program under a limit that cannot be raised if Bun can start (%j)",
  async (lower) => {
    const script = `ulimit -v 1000000; ${lower}exec "$@"`;
    const start = ["sh", "-c", script, "sh", ...HELD_TO_LIMITS];
    await compare(start, RUN, { argv: ["cat", "/proc/self/limits"] });
  },
);

test("reports a limit that cannot be raised if Bun cannot start", async () => {
  const start = [
    "sh",
    "-c",
    'ulimit -v 300000; exec "$@"',
    "sh",
    ...HELD_TO_LIMITS,
    ...RUN,
    "true",
  ];
  const { code, stderr } = await here.run(start);
  expect(stderr).toMatch(
    /^xsocket: Bun was ended by signal \d+ [^\n]*: check whether a limit [^\n]*$/m,
  );
  expect(code).toBe(1);
});

/* CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID and SIGCHLD, as fork(3) has them. */
const FORK = 0x1200011;

test.each([
  ["files", ["sh", "-c", 'ulimit -n 8; exec "$@"', "sh"], /: Too many open files: .*ulimit -n/],
  ["processes", refusing("clone", 0, FORK, "EAGAIN"), /: Resource temporarily .*ulimit -u/],
])("reports a limit of %s at which no Bun can be started", async (_what, start, says) => {
  const { code, stderr } = await here.run([...start, ...RUN, "true"]);
  expect(stderr).toMatch(says);
  expect(code).toBe(1);
});
