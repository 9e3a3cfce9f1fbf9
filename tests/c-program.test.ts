/* A user's C program, built against what `cmake --install` puts on a system. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { INSTALL_MS, install, succeed } from "./harness/install.ts";
import {
  createNamespace,
  guardDescriptors,
  here,
  startServer,
  type TempDir,
  tempDir,
} from "./harness/index.ts";

const KINDS = ["tcp4", "tcp6", "udp4", "udp6"];
const SOURCE = join(import.meta.dir, "programs/four_sockets.c");
const LINKINGS = [
  ["shared", "", ""],
  ["static", "-static", "--static"],
] as const;

let dir: TempDir;
let env: Record<string, string> = {};

const program = (linking: string) => dir.join(`four_sockets-${linking}`);

beforeAll(async () => {
  dir = tempDir();
  env = await install(dir);
  for (const [linking, cc, ask] of LINKINGS) {
    const flags = `$(pkg-config ${ask} --cflags --libs xsocket)`;
    const compile = `gcc ${cc} -std=gnu17 -Wall -Wextra -Werror -o "$1" "$2" ${flags}`;
    await succeed(["sh", "-c", compile, "sh", program(linking), SOURCE], { env });
  }
}, INSTALL_MS);

afterAll(() => dir[Symbol.dispose]());

guardDescriptors();

test.each(LINKINGS)(
  "a %s C program gets TCP and UDP sockets of both families in the target namespace",
  async (linking) => {
    await using target = await createNamespace();
    await using inside = await createNamespace();
    await using server = await startServer({ place: target });
    for (const place of [inside, here]) {
      const { code, stdout, stderr } = await place.run([program(linking), server.path], { env });
      expect(stderr).toBe("");
      expect(code).toBe(0);
      const cookie = await target.cookie();
      expect(cookie).not.toBe(await place.cookie());
      expect(stdout.trim().split("\n")).toEqual(KINDS.map((kind) => `${kind} ${cookie}`));
    }
  },
);

test.each(LINKINGS)(
  "a %s C program without a server gets the errno that says so",
  async (linking) => {
    const { code, stderr } = await here.run([program(linking), dir.join("nothing")], { env });
    expect(stderr).toBe("tcp4: No such file or directory\n");
    expect(code).toBe(1);
  },
);

test("the static library has one name for the linker", async () => {
  const library = join(env["LD_LIBRARY_PATH"] ?? "", "libxsocket.a");
  const { stdout } = await succeed(["nm", "--extern-only", "--defined-only", "-j", library]);
  expect(stdout.match(/^\w+$/gm)).toEqual(["xsocket"]);
});

test("CMake's find_package has a target for each library", async () => {
  const targets = ["xsocket::xsocket", "xsocket::static"];
  const lines = [
    "cmake_minimum_required(VERSION 3.16)",
    "project(user C)",
    "find_package(xsocket REQUIRED)",
    ...targets.flatMap((target, index) => [
      `add_executable(program${index} "${SOURCE}")`,
      `target_link_libraries(program${index} ${target})`,
    ]),
  ];
  await Bun.write(dir.join("project/CMakeLists.txt"), lines.join("\n"));
  const [project, build] = [dir.join("project"), dir.join("project/build")];
  const found = `-DCMAKE_PREFIX_PATH=${dir.join("usr")}`;
  await succeed(["cmake", "-S", project, "-B", build, "-G", "Ninja", found]);
  await succeed(["cmake", "--build", build]);
  await using server = await startServer();
  for (const index of targets.keys())
    expect(await here.run([join(build, `program${index}`), server.path])).toMatchObject({
      code: 0,
    });
});
