import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import {
  asOrdinaryUser,
  createNamespace,
  eventually,
  here,
  isRoot,
  ORDINARY_UID,
  ROOT,
  tempDir,
} from "./index.ts";

test("a test that leaves a descriptor open fails, whatever file it is in", async () => {
  using dir = tempDir();
  const file = dir.join("leak.test.ts");
  const tests = `
    test("clean", () => require("fs").closeSync(require("fs").openSync("/dev/null")));
    test("leaks", () => void require("fs").openSync("/dev/null"));`;
  writeFileSync(file, tests);
  const argv = [process.execPath, "test", "--timeout", "60000", file];
  const { stderr } = await here.run(argv, { cwd: ROOT, env: { NO_COLOR: "1" } });
  expect(stderr).toMatch(/^\(pass\) clean/m);
  expect(stderr).toMatch(/^error: descriptors were left open: \d+ → \/dev\/null$/m);
  expect(stderr).toMatch(/^\(fail\) leaks/m);
});

test("a namespace has only lo, which is up", async () => {
  await using isolated = await createNamespace();
  const { stdout } = await isolated.run(["ip", "-o", "link"]);
  expect(stdout.trim().split("\n")).toHaveLength(1);
  expect(stdout).toMatch(/lo: <LOOPBACK,UP/);
});

test("namespaces have different cookies", async () => {
  await using one = await createNamespace();
  await using two = await createNamespace();
  const cookies = new Set([await one.cookie(), await two.cookie(), await here.cookie()]);
  expect(cookies.size).toBe(3);
});

test("listens() and fetchText() look inside the namespace", async () => {
  await using isolated = await createNamespace();
  const code =
    "const s = Bun.serve({ port: 0, fetch: () => new Response('inside') }); console.log(`:${s.port}:`)";
  await using program = isolated.spawn([process.execPath, "-e", code]);
  const port = Number((await program.says(/:(\d+):/))[1]);
  expect(isolated.listens("tcp", port)).toBe(true);
  expect(isolated.listens("udp", port)).toBe(false);
  expect(await isolated.fetchText(`http://127.0.0.1:${port}`)).toBe("inside");
});

test("disposing of a program kills it and its children even if it ignores SIGTERM", async () => {
  let pids: string[] = [];
  {
    const script = "trap '' TERM; sleep 600 & echo $$ $!; wait; sleep 600";
    await using shell = here.spawn(["sh", "-c", script]);
    pids = (await shell.says(/\d+ \d+/))[0].split(" ");
  }
  await eventually("both to end", () => pids.every((pid) => isGone(pid)));
});

test("disposing of a namespace kills the daemons in it", async () => {
  let pid = "";
  {
    await using isolated = await createNamespace();
    // the shell's process group is killed at its end, so the daemon must have left it before
    const left = '[ "$(cut -d " " -f 6 /proc/$!/stat)" = $! ]';
    const daemon = `setsid sleep 600 >/dev/null 2>&1 & until ${left}; do :; done; echo $!`;
    pid = (await isolated.run(["sh", "-c", daemon])).stdout.trim();
    expect(isGone(pid)).toBe(false);
  }
  expect(isGone(pid)).toBe(true);
});

/* An orphan may stay a zombie for a while. */
function isGone(pid: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return true;
  }
}

test("run() rejects after its time limit", async () => {
  const late = here.run(["sleep", "600"], { withinMs: 50 });
  await expect(late).rejects.toThrow("still running after 50 ms");
});

test("says() rejects with the output so far", async () => {
  await using program = here.spawn(["sh", "-c", "echo something; exec sleep 600"]);
  await program.says(/something/);
  await expect(program.says(/else/, 50)).rejects.toThrow("no /else/ in something");
});

test("eventually() rejects with the name of the condition", async () => {
  await expect(eventually("the moon", () => false, 20)).rejects.toThrow("the moon");
});

test("asOrdinaryUser() drops privileges, and tempDir() is open to that user", async () => {
  using dir = tempDir();
  const { stdout } = await here.run(asOrdinaryUser(["sh", "-c", "id -u; ls -d ."]), {
    cwd: dir.path,
  });
  const uid = isRoot ? ORDINARY_UID : process.geteuid?.();
  expect(stdout).toBe(`${uid}\n.\n`);
});
