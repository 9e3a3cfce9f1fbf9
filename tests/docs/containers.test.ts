/* What docs/containers.md says of mounts: a mounted directory works after a restart, a mounted file does not. */
import { expect, test } from "bun:test";
import { dirname, join } from "node:path";
import { errno, libraryPath } from "@xsocket/xbind-native";
import { guardDescriptors, here, ROOT, startServer, tempDir } from "../harness/index.ts";

guardDescriptors();

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
    const argv = [...box, "--bind", source, inside, "python3", "-c", PROGRAM, view.join("control")];
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
