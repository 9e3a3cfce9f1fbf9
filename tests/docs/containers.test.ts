/* What docs/containers.md says of mounts: a mounted directory works after a restart, a mounted file does not; and why read-only. */
import { expect, test } from "bun:test";
import { dirname, join } from "node:path";
import { errno, libraryPath } from "@xsocket/xbind-native";
import { here, ROOT, startServer, tempDir, textOf, XSOCKET } from "../harness/index.ts";

/* Asks for a socket for each line that it reads, and prints the outcome. */
const PROGRAM = `
import sys, xsocket
print("ready", flush=True)
for number, line in enumerate(sys.stdin, 1):
    try:
        xsocket.socket(sys.argv[1]).close()
        print("got", number, flush=True)
    except OSError as error:
        print("error", number, error.errno, flush=True)
`;
const ENV = {
  PYTHONPATH: join(ROOT, "python"),
  XSOCKET_LIBDIR: dirname(libraryPath("xsocket")),
};

test.each([
  ["directory", /got 2/],
  ["file", new RegExp(`error 2 ${errno.ECONNREFUSED}`)],
] as const)(
  "a container with the mounted %s gets the documented result after a restart of the server",
  async (what, after) => {
    using dir = tempDir();
    using view = tempDir(); // where the container sees it
    const path = dir.join("control");
    const first = await startServer({ path });
    const source = what === "directory" ? dir.path : path;
    const inside = what === "directory" ? view.path : view.join("control");
    if (what === "file") await Bun.write(inside, "");
    const box = ["bwrap", "--unshare-net", "--die-with-parent", "--ro-bind", "/", "/"];
    const mount = ["--ro-bind", source, inside];
    const argv = [...box, ...mount, "python3", "-c", PROGRAM, view.join("control")];
    await using program = here.spawn(argv, { env: ENV, stdin: "" });
    await program.says(/ready/);
    await program.write("\n");
    await program.says(/got 1/);
    await first[Symbol.asyncDispose]();
    await using second = await startServer({ path });
    expect(second.path).toBe(path);
    await program.write("\n");
    await program.says(after);
    expect(program.hasEnded).toBe(false);
  },
);

test("the sandbox of the tutorial cannot put another socket in the place of the server's", async () => {
  const options = /bwrap (.*) --chdir/.exec(textOf("docs/tutorial-sandbox.md"))?.[1];
  using dir = tempDir();
  await using server = await startServer({ path: dir.join("control") });
  const script = `exec bwrap ${options} mv "${server.path}" "${server.path}.other"`;
  const env = { XSOCKET_DIR: dir.path, LC_ALL: "C" };
  const { code, stderr } = await here.run(["sh", "-c", script], { env });
  expect(stderr).toContain("Read-only file system");
  expect(code).toBe(1);
});

test("a program in the tutorial's sandbox takes its socket by activation, without the control socket", async () => {
  const page = textOf("docs/tutorial-sandbox.md");
  const hide = /`(--tmpfs "\$XSOCKET_DIR")`/.exec(page)?.[1];
  const launch = /`(sh -c 'LISTEN_PID=[^`]*)`/.exec(page)?.[1];
  const shows = 'sh -c "echo \\$LISTEN_PID is \\$\\$, sees \\$(ls \\$XSOCKET_DIR)"';
  using dir = tempDir();
  await using server = await startServer({ path: dir.join("control") });
  const box = `bwrap --unshare-net --ro-bind / / ${hide} ${launch?.replace("PROGRAM", () => shows)}`;
  const script = `exec ${XSOCKET} open ${server.path} --exec ${box}`;
  const env = { XSOCKET_DIR: dir.path };
  const { stdout, stderr } = await here.run(["sh", "-c", script], { env });
  expect(stdout.trim(), stderr).toMatch(/^(\d+) is \1, sees$/);
});
