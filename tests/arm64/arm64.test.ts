/*
 * The packages under Bun for arm64, in the emulator of qemu-user: `./dev check` fetches that Bun
 * and builds the libraries, and names both in the environment. The C tests run there, too, by ctest.
 */
import { describe, expect, test as testAnywhere } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Session, xsocket } from "@xsocket/client";
import {
  createNamespace,
  eventually,
  netnsCookie,
  type Place,
  ROOT,
  startServer,
  tempDir,
} from "../harness/index.ts";

const BUN = process.env["XSOCKET_BUN_ARM64"];
const LIBRARIES = join(ROOT, "build/aarch64/packages/xbind-native");
const EMULATOR = ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"];
const START_MS = 30_000; // Bun takes a few seconds there, more on a busy machine
const PORT = 7000;

/* The command's script: the command itself cannot start Bun under the emulator. */
const COMMAND = "../../packages/cli/src/main.ts";

/* Runs a program, by its path from this directory, on the emulated machine. */
function spawn(place: Place, script: string, ...args: readonly string[]) {
  const argv = [...EMULATOR, BUN ?? "", join(import.meta.dir, script), ...args];
  return place.spawn(argv, { env: { XSOCKET_LIBDIR: LIBRARIES } });
}

const test = testAnywhere.skipIf(BUN === undefined);

describe("on arm64, emulated", () => {
  test("a server hands out sockets, one for each connection and several over one", async () => {
    await using target = await createNamespace();
    using dir = tempDir();
    const path = dir.join("control");
    await using server = spawn(target, COMMAND, "-1", "-1", "serve", path);
    await eventually("the server", () => server.hasEnded || target.listensAt(path), START_MS);
    await server.says(/serving at/);
    using session = new Session({ via: path });
    using alone = await xsocket({ via: path, timeoutMs: START_MS });
    using first = await session.socket({ family: 6 });
    using second = await session.socket({ type: "dgram" });
    for (const { fd } of [alone, first, second])
      expect(netnsCookie(fd)).toBe(await target.cookie());
    await expect(session.socket({ protocol: 1 })).rejects.toThrow("(EPERM)");
    server.kill("SIGTERM");
    expect(await server.finished()).toBe(0);
    expect(existsSync(path)).toBe(false);
  });

  test("a client listens in the target namespace", async () => {
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
    await using inside = await createNamespace();
    await using echo = spawn(inside, "echo.ts", server.path, String(PORT));
    const isThere = () => echo.hasEnded || target.listens("tcp", PORT);
    await eventually("the program to listen", isThere, START_MS);
    expect(echo.stderr).toBe("");
    const client = ["socat", "-t", "10", "-", `TCP:127.0.0.1:${PORT}`];
    expect((await target.run(client, { stdin: "from arm64" })).stdout).toBe("from arm64");
  });
});
