/* A user's C program, built against what `cmake --install` puts on a system. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { INSTALL_MS, install, succeed } from "./harness/install.ts";
import {
  createNamespace,
  hasCookies,
  hasIpv6,
  here,
  ROOT,
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

test.skipIf(!hasIpv6 || !hasCookies).each(LINKINGS)(
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

test.each(LINKINGS)("a %s C program without a server gets ENOENT", async (linking) => {
  const { code, stderr } = await here.run([program(linking), dir.join("nothing")], { env });
  expect(stderr).toBe("tcp4: No such file or directory\n");
  expect(code).toBe(1);
});

/* Where the header is not taken for a system's, a warning in it ends a build that makes warnings errors. */
test.skipIf(!Bun.which("clang-19")).each(["c -std=c89", "c++ -std=c++20"])(
  "no warning of clang is about the header: %s",
  async (language) => {
    const compile = `clang-19 -Weverything -Werror -fsyntax-only -x ${language} $(pkg-config --cflags xsocket) -`;
    await succeed(["sh", "-c", `echo '#include <xsocket.h>' | ${compile}`], { env });
  },
);

async function expectOneName(library: string): Promise<void> {
  const { stdout } = await succeed(["nm", "--extern-only", "--defined-only", "-j", library]);
  expect(stdout.match(/^\w+$/gm)).toEqual(["xsocket"]);
}

test("the static library exports only xsocket", () =>
  expectOneName(join(env["LD_LIBRARY_PATH"] ?? "", "libxsocket.a")));

test.each([
  ["libxsocket.so", "libxsocket.so.1"],
  ["libxbind.so", "libxbind.so"],
])(
  "%s has its soname for ever, no executable stack, and is read-only once bound",
  async (file, soname) => {
    const library = join(env["LD_LIBRARY_PATH"] ?? "", file);
    const readelf = ["readelf", "--wide", "--dynamic", "--program-headers", library];
    const { stdout } = await succeed(readelf, { env: { LC_ALL: "C" } });
    expect(stdout).toContain(`Library soname: [${soname}]`);
    expect(stdout).toMatch(/GNU_STACK .* RW /);
    expect(stdout).toMatch(/GNU_RELRO /);
    expect(stdout).toMatch(/BIND_NOW/);
  },
);

test("no systemd unit is installed without the command", () =>
  expect(existsSync(dir.join("usr/lib/systemd"))).toBe(false));

const TARGETS = ["xsocket::xsocket", "xsocket::static"];

/* Builds a project with a program for each library, each of which must get a socket. */
async function buildAndUse(
  name: string,
  setup: readonly string[],
  how: readonly string[] = ["-G", "Ninja"],
): Promise<string> {
  const lines = [
    "cmake_minimum_required(VERSION 3.16)",
    "project(user C)",
    "include(CTest)",
    "set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/own CACHE PATH own)",
    ...setup,
    ...TARGETS.flatMap((target, index) => [
      `add_executable(program${index} "${SOURCE}")`,
      `target_link_libraries(program${index} ${target})`,
    ]),
    "include(CPack)",
  ];
  await Bun.write(dir.join(`${name}/CMakeLists.txt`), lines.join("\n"));
  const [project, build] = [dir.join(name), dir.join(`${name}/build`)];
  const found = `-DCMAKE_PREFIX_PATH=${dir.join("usr")}`;
  await succeed(["cmake", "-S", project, "-B", build, found, ...how]);
  await succeed(["cmake", "--build", build, "--parallel", "4"]);
  await using server = await startServer();
  for (const index of TARGETS.keys())
    expect(await here.run([join(build, `program${index}`), server.path])).toMatchObject({
      code: 0,
    });
  return build;
}

test.skipIf(!hasIpv6 || !hasCookies)(
  "CMake's find_package gives a target for each library",
  async () => {
    await buildAndUse("found", ["find_package(xsocket REQUIRED)"]);
  },
);

test("CMake's find_package says that there are no components", async () => {
  const lines = [
    "cmake_minimum_required(VERSION 3.16)",
    "project(user C)",
    "find_package(xsocket REQUIRED COMPONENTS static)",
  ];
  await Bun.write(dir.join("parts/CMakeLists.txt"), lines.join("\n"));
  const found = `-DCMAKE_PREFIX_PATH=${dir.join("usr")}`;
  const argv = ["cmake", "-S", dir.join("parts"), "-B", dir.join("parts/build"), found];
  const { code, stderr } = await here.run(argv);
  const said =
    "has no components: leave COMPONENTS out, and link xsocket::xsocket or xsocket::static";
  expect(stderr.replaceAll(/\s+/g, " ")).toContain(said);
  expect(code).toBe(1);
});

test("CMake's find_package gives the shared library where the static one is not installed", async () => {
  const library = join(env["LD_LIBRARY_PATH"] ?? "", "libxsocket.a");
  const lines = [
    "cmake_minimum_required(VERSION 3.16)",
    "project(user C)",
    "find_package(xsocket REQUIRED)",
    "get_target_property(LOCATION xsocket::xsocket LOCATION)",
  ];
  await Bun.write(dir.join("shared/CMakeLists.txt"), lines.join("\n"));
  const found = `-DCMAKE_PREFIX_PATH=${dir.join("usr")}`;
  renameSync(library, `${library}.away`); // as in a package of its own
  try {
    await succeed(["cmake", "-S", dir.join("shared"), "-B", dir.join("shared/build"), found]);
  } finally {
    renameSync(`${library}.away`, library);
  }
});

/* A compiler that fails unless its flags name the machine. */
const COMPILER = `#!/bin/sh
case " $* " in *" -DMACHINE "* | *" --version "*) exec gcc "$@" ;; esac
echo "cc: for which machine?: $*" >&2
exit 1
`;
/* Flags for it, one that needs a library, and one for the linker that suits only programs. */
const FLAGS = "-DMACHINE --coverage -Wl,--gc-sections";

test.skipIf(!hasIpv6 || !hasCookies)(
  "as a part of another CMake project xsocket has the same targets, and changes nothing else there",
  async () => {
    const cc = dir.join("cc");
    writeFileSync(cc, COMPILER, { mode: 0o755 });
    const build = await buildAndUse(
      "part",
      [
        "add_library(core INTERFACE)",
        "function(install_link)",
        "endfunction()",
        `add_subdirectory("${ROOT}" part EXCLUDE_FROM_ALL)`,
        "install_link()",
        "file(WRITE ${CMAKE_BINARY_DIR}/own.c [[int own;]])",
        "add_library(own SHARED ${CMAKE_BINARY_DIR}/own.c)",
      ],
      ["-G", "Unix Makefiles", `-DCMAKE_C_COMPILER=${cc}`, `-DCMAKE_C_FLAGS=${FLAGS}`],
    );
    await expectOneName(join(build, "part/packages/xbind-native/libxsocket.a"));
    expect(existsSync(join(build, "own/libown.so"))).toBe(true);
    const { stdout } = await succeed(["ctest", "--test-dir", build, "--show-only"]);
    expect(stdout).toContain("Total Tests: 0");
    const cpack = await Bun.file(join(build, "CPackConfig.cmake")).text();
    expect(cpack).toContain('set(CPACK_PACKAGE_NAME "user")');
    const installed = await Bun.file(join(build, "part/cmake_install.cmake")).text();
    expect(installed).not.toContain("packaging");
  },
);

test("pkg-config finds libraries and headers at absolute paths, from a unity build", async () => {
  const [libdir, includedir] = [dir.join("absolute/lib"), dir.join("absolute/headers")];
  const build = dir.join("build");
  const places = [`-DCMAKE_INSTALL_LIBDIR=${libdir}`, `-DCMAKE_INSTALL_INCLUDEDIR=${includedir}`];
  const prefix = `-DCMAKE_INSTALL_PREFIX=${dir.join("other")}`;
  await succeed(["cmake", "-B", build, "-DCMAKE_UNITY_BUILD=ON", prefix, ...places]);
  await succeed(["cmake", "--build", build]);
  await succeed(["cmake", "--install", build]);
  const PKG_CONFIG_PATH = dir.join("absolute/moved"); // as Nix moves it, to the headers
  renameSync(join(libdir, "pkgconfig"), PKG_CONFIG_PATH);
  const flags = "$(pkg-config --cflags --libs xsocket)";
  await succeed(["sh", "-c", `gcc -o "$1" "$2" ${flags}`, "sh", program("absolute"), SOURCE], {
    env: { PKG_CONFIG_PATH },
  });
});
