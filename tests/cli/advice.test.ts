/* What the command prints when no server can be reached, and which server it chooses. */
import { expect, test } from "bun:test";
import { symlinkSync } from "node:fs";
import { basename, dirname } from "node:path";
import {
  expectSentence,
  HELD_TO_MODES,
  here,
  leaveStale,
  OWN_MOUNTS,
  startServer,
  tempDir,
  XSOCKET,
} from "../harness/index.ts";

test.each([
  ["gone", "no server listens there (ECONNREFUSED)"],
  ["missing", "there is no such control socket (ENOENT)"],
])("open, status, bench and run report a server that is %s", async (state, found) => {
  using dir = tempDir();
  const path = dir.join("control");
  if (state === "gone") leaveStale(path);
  const run = ["run", "--socket", path, "--port", "3000", "--", "true"];
  const open = ["open", path];
  for (const args of [open, [...open, "--exec", "true"], ["status", path], ["bench", path], run]) {
    const { code, stdout, stderr } = await here.run([XSOCKET, ...args]);
    expect({ code, stdout }).toEqual({ code: args === run ? 0 : 1, stdout: "" }); // the program runs all the same
    expect(stderr).toMatch(/^xsocket: (warning: )?cannot [^\n]* "xsocket serve [^\n]*\n$/);
    for (const words of [`through ${path}: ${found}`, "a container may"])
      expect(stderr).toContain(words);
  }
});

test("run starts the program even if the path of the control socket is a loop of links", async () => {
  using dir = tempDir();
  symlinkSync("loop", dir.join("loop")); // ELOOP
  const run = [XSOCKET, "run", "--socket", dir.join("loop"), "--port", "1", "--", "echo", "ran"];
  expect(await here.run(run)).toMatchObject({ code: 0, stdout: "ran\n" });
});

test("run and status report a path that is no socket and do not advise starting a server", async () => {
  using dir = tempDir();
  const file = dir.join("file");
  await Bun.write(file, "");
  for (const path of [file, dir.path, `${file}/control`])
    for (const args of [
      ["status", path],
      ["run", "--socket", path, "--port", "1", "--", "true"],
    ]) {
      const { stderr } = await here.run([XSOCKET, ...args]);
      expect(stderr, args.join(" ")).toMatch(
        /^xsocket: [^\n]* is not a (socket|directory)[^\n]*\n$/,
      );
      expect(stderr).not.toContain("start");
    }
});

test("status, open and run explain that an abstract name belongs to one network namespace", async () => {
  for (const command of ["status", "open"]) {
    const refused = await here.run([XSOCKET, command, "@nobody"]);
    expectSentence(refused, 1, /abstract name in .* network namespace/);
  }
  const run = [XSOCKET, "run", "--socket", "@nobody", "--port", "1", "--", "echo", "ran"];
  const { code, stdout, stderr } = await here.run(run);
  expect({ code, stdout }).toEqual({ code: 0, stdout: "ran\n" });
  expect(stderr).toMatch(
    /^xsocket: warning: cannot open the listed ports now through @nobody: nobody listens at this abstract name in [^\n]*\n$/,
  );
});

test("run and status report missing permission for the control socket", async () => {
  await using server = await startServer({ args: ["--mode", "0400"] });
  const status = await here.run([...HELD_TO_MODES, XSOCKET, "status", server.path]);
  expectSentence(status, 1, "permission to open it is denied");
  const run = [XSOCKET, "run", "--socket", server.path, "--port", "1", "--", "echo", "ran"];
  const { stdout, stderr } = await here.run([...HELD_TO_MODES, ...run]);
  expect(stdout).toBe("ran\n");
  expect(stderr).toContain(`through ${server.path}: permission to open it is denied`);
  expect(stderr).toContain(`"xsocket doctor ${server.path}"`);
});

test("status reports a server that does not answer", async () => {
  await using server = await startServer();
  await server.program.pause();
  const late = await here.run([XSOCKET, "status", server.path]);
  server.program.kill("SIGCONT");
  expectSentence(late, 1, "the server did not answer in time");
});

test("open, status and run --print use XSOCKET", async () => {
  await using server = await startServer();
  const env = { XSOCKET: server.path };
  for (const command of ["open", "status"]) {
    const { code, stderr } = await here.run([XSOCKET, command], { env });
    expect(code, stderr).toBe(0);
  }
  /* The printed lines may be pasted into a unit, which has another current directory. */
  const print = [XSOCKET, "run", "--port", "3000", "--print"];
  for (const named of [server.path, basename(server.path)]) {
    const { stdout } = await here.run(print, {
      env: { XSOCKET: named },
      cwd: dirname(server.path),
    });
    expect(stdout).toContain(`XSOCKET=${server.path}\n`);
  }
  const { stdout } = await here.run([...print, "--socket", "/run/other"], { env });
  expect(stdout).toContain("XSOCKET=/run/other\n");
});

test("treats an empty XSOCKET as unset", async () => {
  const hidden = [...OWN_MOUNTS, "sh", "-c", 'mount -t tmpfs run /run && "$0" status', XSOCKET];
  const { stderr } = await here.run(hidden, { env: { XSOCKET: "" } }); // hides a server that may run here
  expect(stderr).toContain("through /run/xsocket/default: ");
});

test("help prints a command's help", async () => {
  const asked = await here.run([XSOCKET, "help", "run"]);
  expect(asked).toEqual(await here.run([XSOCKET, "run", "--help"]));
  expect(asked.stdout).toContain("--port");
});

test("serve makes the directory of the default socket for any socket in it", async () => {
  const script = `mount -t tmpfs run /run || exit
    "$0" serve /run/xsocket/lan 2>/run/words &
    until grep -qs . /run/words; do sleep 0.05; done
    stat -c %a /run/xsocket
    kill $!; wait $!
    cat /run/words >&2`;
  const machine = [...OWN_MOUNTS, "sh", "-c", script, XSOCKET];
  const { stdout, stderr } = await here.run(machine);
  expect(stderr).toContain("serving at /run/xsocket/lan");
  expect(stdout).toBe("711\n");
});
