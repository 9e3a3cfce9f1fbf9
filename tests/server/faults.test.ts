/* Starts and stops in which one system call on a file fails, injected by strace(1). */
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { guardDescriptors, here, tempDir, XSOCKET } from "../harness/index.ts";

guardDescriptors();

const CALLS_MAX = 50; // of one name, far more than a server makes

/** The outcome of a server whose n-th call failed. */
interface Outcome {
  /** Whether there was an n-th call. */
  readonly wasHit: boolean;
  /** Whether it served before it was told to stop. */
  readonly served: boolean;
  readonly code: number;
  readonly stderr: string;
  readonly leftSocket: boolean;
}

/** Starts a server whose n-th call of that name fails, and stops it if it serves. */
async function serveWith(
  call: string,
  error: string,
  n: number,
  ofPath: boolean,
): Promise<Outcome> {
  using directory = tempDir();
  const path = directory.join("s");
  const trace = directory.join("trace");
  const paths = ofPath ? ["-P", directory.path, "-P", path] : [];
  const inject = `inject=${call}:error=${error}:when=${n}`;
  const strace = ["strace", "-D", "-f", "-o", trace, "-e", `trace=${call}`, "-e", inject, ...paths];
  const argv = [...strace, XSOCKET, "serve", path];
  await using program = here.spawn(argv);
  const served = await program.says(/serving at/).then(
    () => true,
    () => false,
  );
  if (served) program.kill("SIGTERM");
  const code = await program.finished();
  const wasHit = readFileSync(trace, "utf8").includes("(INJECTED)");
  return { wasHit, served, code, stderr: program.stderr, leftSocket: existsSync(path) };
}

test.each([
  ["statx", "EACCES", true],
  ["statx", "EIO", true],
  ["openat", "EMFILE", true],
  ["fchmod", "EPERM", false],
] as const)(
  "a start in which %s fails with %s reports it in one sentence and leaves nothing",
  async (call, error, ofPath) => {
    let hits = 0;
    for (let n = 1; n < CALLS_MAX; n++) {
      const outcome = await serveWith(call, error, n, ofPath);
      if (!outcome.wasHit) break;
      hits++;
      if (outcome.served) {
        expect([n, outcome.code]).toEqual([n, 0]);
        continue;
      }
      expect([n, outcome.stderr]).toEqual([n, expect.stringMatching(/^xsocket: cannot [^\n]*\n$/)]);
      expect([n, outcome.code, outcome.leftSocket]).toEqual([n, 1, false]);
    }
    expect(hits).toBeGreaterThan(0);
    expect(hits).toBeLessThan(CALLS_MAX - 1);
  },
);

test("blames the filter, not the directory, when UNIX sockets are forbidden", async () => {
  const { code, stderr } = await serveWith("socket", "EACCES", 1, false);
  const remedy = "Allow AF_UNIX in RestrictAddressFamilies= of its unit, or in its seccomp filter";
  expect(stderr).toMatch(/^xsocket: cannot make a socket for \S+ as uid \d+: EACCES\. /);
  expect(stderr).toEndWith(`${remedy}\n`);
  expect(code).toBe(1);
});
