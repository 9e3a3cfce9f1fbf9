/* A user's C program, built against what `cmake --install` puts on a system. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import {
  createNamespace,
  guardDescriptors,
  here,
  type Result,
  startServer,
  type TempDir,
  tempDir,
} from "./harness/index.ts";

const ROOT = join(import.meta.dir, "..");
const BUILD_MS = 120_000;
const KINDS = ["tcp4", "tcp6", "udp4", "udp6"];

async function succeed(argv: readonly string[], env = {}): Promise<Result> {
  const result = await here.run(argv, { env, withinMs: BUILD_MS });
  if (result.code !== 0) throw new Error(`${argv.join(" ")}: ${result.stderr}${result.stdout}`);
  return result;
}

/* Builds and installs the libraries as a packager does, in a directory of its own. */
async function install(dir: TempDir): Promise<string> {
  const prefix = dir.join("usr");
  const options = ["-DCMAKE_BUILD_TYPE=Release", "-DBUILD_TESTING=OFF", "-G", "Ninja"];
  await succeed(["cmake", "-S", ROOT, "-B", dir.join("build"), ...options]);
  await succeed(["cmake", "--build", dir.join("build")]);
  await succeed(["cmake", "--install", dir.join("build"), "--prefix", prefix]);
  return prefix;
}

/* Compiles a program with the flags that pkg-config gives, in the words of the README. */
async function compile(prefix: string, source: string, program: string): Promise<void> {
  const [pc] = [...new Bun.Glob("**/xsocket.pc").scanSync(prefix)];
  if (pc === undefined) throw new Error(`no xsocket.pc below ${prefix}`);
  const env = { PKG_CONFIG_PATH: join(prefix, pc, "..") };
  const { stdout } = await succeed(["pkg-config", "--cflags", "--libs", "xsocket"], env);
  const flags = stdout.trim().split(/\s+/);
  const libdir = await succeed(["pkg-config", "--variable=libdir", "xsocket"], env);
  const rpath = `-Wl,-rpath,${libdir.stdout.trim()}`;
  const strict = ["-std=gnu17", "-Wall", "-Wextra", "-Werror"];
  await succeed(["gcc", ...strict, "-o", program, source, ...flags, rpath]);
}

let dir: TempDir;
let program = "";

beforeAll(async () => {
  dir = tempDir();
  program = dir.join("four_sockets");
  await compile(await install(dir), join(import.meta.dir, "programs/four_sockets.c"), program);
}, BUILD_MS);

afterAll(() => dir[Symbol.dispose]());

guardDescriptors();

test("a C program gets TCP and UDP sockets of both families in the target namespace", async () => {
  await using target = await createNamespace();
  await using inside = await createNamespace();
  await using server = await startServer({ place: target });
  for (const place of [inside, here]) {
    const { code, stdout, stderr } = await place.run([program, server.path]);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    const cookie = await target.cookie();
    expect(cookie).not.toBe(await place.cookie());
    expect(stdout.trim().split("\n")).toEqual(KINDS.map((kind) => `${kind} ${cookie}`));
  }
});

test("a C program without a server gets the errno that says so", async () => {
  const { code, stderr } = await here.run([program, dir.join("nothing")]);
  expect(stderr).toBe("tcp4: No such file or directory\n");
  expect(code).toBe(1);
});
