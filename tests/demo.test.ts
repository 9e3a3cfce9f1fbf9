/* What `./dev demo` runs, to its end and interrupted: its output, and that it leaves nothing. */
import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { eventually, here, ROOT, typed } from "./harness/index.ts";

const DEMO = ["sh", "scripts/demo.sh"];
const OPTIONS = {
  cwd: ROOT,
  env: {
    PATH: `${dirname(process.execPath)}:${process.env["PATH"]}`,
    XSOCKET_BUN: process.execPath,
    BUN_FEATURE_FLAG_NO_ORPHANS: undefined, // by which Bun ends with its parent in a run by ./dev test
  },
};

/* The processes whose arguments name the demo's directory. */
function processesOf(work: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(work);
    } catch {
      return false; // it ended meanwhile
    }
  });
}

async function expectNothingLeft(output: string): Promise<void> {
  const [, work = ""] = /serve (\S+)\/control/.exec(output) ?? [];
  expect(work).toStartWith("/tmp/xsocket-demo.");
  await eventually("its processes to end", () => processesOf(work).length === 0);
  expect(existsSync(work)).toBe(false);
}

test("the demo shows a server in a namespace without a network that is reached from outside", async () => {
  await using demo = here.spawn(DEMO, OPTIONS); // disposal would end what it has left
  expect(await demo.finished()).toBe(0);
  const { stdout, stderr } = demo;
  expect(stderr).toBe("");
  expect(stdout).toMatch(/^1\. .*\n +lo /);
  expect(stdout).toContain("Hello from a program that has no network.");
  expect(stdout).toContain("(its log names the client that asked: 127.0.0.1)");
  expect(stdout).toMatch(/Inside the namespace nothing listens on port \d+: ECONNREFUSED/);
  await expectNothingLeft(stdout);
});

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
  "%s ends the demo and all its processes",
  async (signal) => {
    await using demo = here.spawn(DEMO, OPTIONS);
    await demo.says(/^2\. /m);
    // Ctrl-C goes to the whole group, but background jobs of a shell ignore it
    process.kill(signal === "SIGINT" ? -demo.pid : demo.pid, signal);
    expect(await demo.finished()).toBeGreaterThan(128);
    await expectNothingLeft(demo.stdout);
  },
);

test("a closed output pipe ends the demo and all its processes", async () => {
  const start = typed("env", "--default-signal=PIPE", ...DEMO);
  const { stdout } = await here.run(["bash", "-c", `${start} | sed /^2/q`], OPTIONS);
  await expectNothingLeft(stdout);
});
