/* The examples of README.md, word for word but for the path of the control socket. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { install, succeed } from "./harness/install.ts";
import {
  createNamespace,
  eventually,
  guardDescriptors,
  startServer,
  tempDir,
} from "./harness/index.ts";

const ROOT = join(import.meta.dir, "..");
const README = readFileSync(join(ROOT, "README.md"), "utf8");
const PATH = "/run/xsocket/lan";

/* The first block of a language that holds `word`, with the server's path in it. */
function example(language: string, word: string, path: string): string {
  const fences = new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, "gm");
  const found = [...README.matchAll(fences)].map(([, code = ""]) => code);
  const code = found.find((text) => text.includes(word));
  if (code === undefined) throw new Error(`README.md has no ${language} example with ${word}`);
  return code.replaceAll(PATH, path);
}

guardDescriptors();

test.each(["xsocket run", "LD_PRELOAD"])("the example of %s opens port 3000", async (word) => {
  await using target = await createNamespace();
  await using inside = await createNamespace();
  await using server = await startServer({ place: target });
  const script = example("sh", word, server.path);
  await using program = inside.spawn(["sh", "-c", script], { cwd: ROOT });
  await eventually("port 3000 to open outside", () => target.listens("tcp", 3000));
  expect(inside.listens("tcp", 3000)).toBe(false);
  expect(program.hasEnded).toBe(false);
});

test("the C example compiles as it says, and gets its socket", async () => {
  using dir = tempDir();
  await using server = await startServer();
  const env = await install(dir);
  await Bun.write(dir.join("example.c"), example("c", "xsocket.h", server.path));
  const compile = example("sh", "pkg-config", server.path)
    .split("\n")
    .filter((line) => line.startsWith("cc "));
  expect(compile).toHaveLength(1);
  await succeed(["sh", "-c", ...compile], { env, cwd: dir.path });
  const { stdout } = await succeed([dir.join("example")], { env });
  expect(stdout).toMatch(/^descriptor \d+ is a socket of the other namespace$/m);
}, 120_000);

test("the Bun example echoes in the other namespace", async () => {
  await using target = await createNamespace();
  await using server = await startServer({ place: target });
  await using inside = await createNamespace();
  const code = example("ts", "@xsocket/client", server.path);
  // what is run from standard input resolves its imports in the current directory
  await using program = inside.spawn([process.execPath, "run", "-"], {
    cwd: import.meta.dir,
    stdin: "",
  });
  await program.write(code);
  await program.endInput();
  await program.says(/echo on port 7000/);
  const client = ["socat", "-t", "10", "-", "TCP:127.0.0.1:7000"];
  await using echo = target.spawn(client, { stdin: "" });
  await echo.write("to and fro\n");
  await echo.says(/to and fro/);
});
