import { expect, test } from "bun:test";
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { libraryPath } from "@xsocket/xbind-native";
import { guardDescriptors, here, startServer, tempDir } from "../harness/index.ts";
import { HELD_TO_MODES, XSOCKET } from "./command.ts";

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
  "a directory that there is not": {
    argv: ["serve", "/nowhere/xsocket"],
    code: 1,
    says: ["/nowhere", "mkdir -p"],
  },
  "a path that is a plain file": {
    argv: ["serve", "/etc/passwd"],
    code: 1,
    says: ["/etc/passwd", "not a socket", "another path"],
  },
  "a path too long": { argv: ["serve", LONG], code: 2, says: [LONG, "108", "shorter path"] },
  "an empty name": { argv: ["serve", "@"], code: 2, says: ["empty", "@name"] },
  "a mode that is none": { argv: ["serve", "--mode", "rw"], code: 2, says: ['"rw"', "0660"] },
  "a mode for an abstract name": {
    argv: ["serve", "--mode", "0600", "@xsocket-bad"],
    code: 2,
    says: ["abstract", "path"],
  },
  "a group that there is not": {
    argv: ["serve", "--group", "no-such-group", "/tmp/xsocket-bad/s"],
    code: 1,
    says: ["no-such-group", "groupadd"],
  },
  "threads that are no number": {
    argv: ["serve", "--threads", "many"],
    code: 2,
    says: ["--threads", "many"],
  },
  "a directory open to all": {
    argv: ["serve", "/tmp/xsocket-bad"],
    code: 1,
    says: ["/tmp", "--shared-directory"],
  },
};

const CASES: Record<string, Case> = {
  "an unknown command": { argv: ["frob"], code: 2, says: ["frob", "xsocket --help"] },
  "an unknown option": {
    argv: ["lib", "--frob", "xbind"],
    code: 2,
    says: ["--frob", "xsocket lib --help"],
  },
  "an argument too many": { argv: ["lib", "xbind", "b"], code: 2, says: ['"b"', "--help"] },
  "a library that there is not": { argv: ["lib", "frob"], code: 2, says: ["frob", "xbind"] },
  "no library": { argv: ["lib"], code: 2, says: ["xsocket lib xbind"] },
  "run without a port": { argv: ["run", "--", "true"], code: 2, says: ["--port 3000"] },
  "run without a program": { argv: ["run", "--port", "1"], code: 2, says: ['"--"'] },
  "run with an empty program": { argv: ["run", "--port", "1", "--"], code: 2, says: ['"--"'] },
  "a port that is none": {
    argv: [...RUN, "--port", "http", "--", "true"],
    code: 2,
    says: ['"http" is no port', "65535"],
  },
  "a port too large": {
    argv: [...RUN, "--port", "65536", "--", "true"],
    code: 2,
    says: ['"65536" is no port'],
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
    says: ["empty", "@name"],
  },
  "a program that there is not": {
    argv: [...RUN, "--port", "1", "--", "no-such-program"],
    code: 1,
    says: ["no-such-program"],
  },
  "a program that is a directory": {
    argv: [...RUN, "--port", "1", "--", "/etc"],
    code: 1,
    says: ["/etc"],
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

test("a server that is there already is named", async () => {
  await using server = await startServer();
  await expectSentence([XSOCKET, "serve", server.path], {
    code: 1,
    says: [server.path, String(server.program.pid)],
  });
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

test.each(["a space", "a:colon"])("a library path with %s is refused", async (name) => {
  using dir = tempDir();
  const spaced = join(dir.path, name);
  mkdirSync(spaced);
  copyFileSync(libraryPath("xbind"), join(spaced, "libxbind.so"));
  await expectSentence(
    ["env", `XSOCKET_LIBDIR=${spaced}`, XSOCKET, ...RUN, "--port", "1", "--", "true"],
    { code: 1, says: [name, "move xsocket"] },
  );
});

test("a Bun that is not there is one sentence", async () => {
  await expectSentence(["env", "XSOCKET_BUN=/nowhere/bun", XSOCKET, "--version"], {
    code: 1,
    says: ["/nowhere/bun"],
  });
  await expectSentence(["env", "XSOCKET_BUN=bun", XSOCKET, "--version"], {
    code: 1,
    says: ["absolute"],
  });
});

test("help is a result: on stdout, with exit code 0", async () => {
  for (const argv of [["--help"], ["-h"], ["run", "--help"], ["lib", "-h"]]) {
    const { code, stdout, stderr } = await here.run([XSOCKET, ...argv]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("USAGE xsocket");
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
