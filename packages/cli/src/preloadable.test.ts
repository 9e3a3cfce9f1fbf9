import { afterEach, expect, test } from "bun:test";
import { chmodSync, chownSync, copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { libraryPath } from "@xsocket/xbind-native";
import { tempDir } from "../../../tests/harness/temp.ts";
import { isRoot } from "../../../tests/harness/user.ts";
import { readElf } from "./elf.ts";
import { preloadObstacle } from "./preloadable.ts";

/* The obstacle found for an ordinary program under a name. */
function obstacleFor(name: string): string | undefined {
  const program = { name, path: `/usr/bin/${name}`, image: "/bin/cat" };
  return preloadObstacle(program, libraryPath("xbind"))?.found;
}

test("recognises service managers and container tools by name", () => {
  for (const name of ["service", "systemctl", "supervisorctl"])
    expect(obstacleFor(name), name).toContain("has a service started");
  for (const name of ["podman", "podman-compose", "flatpak", "crun"])
    expect(obstacleFor(name), name).toContain("gives a container");
});

test("accepts the dynamic loader as the program", () => {
  const image = readElf("/bin/cat")?.interpreter ?? "";
  const library = libraryPath("xbind");
  expect(preloadObstacle({ name: "ld.so", path: image, image }, library)).toBeUndefined();
  const env = { LD_PRELOAD: library };
  const maps = Bun.spawnSync([image, "/bin/cat", "/proc/self/maps"], { env });
  expect(maps.stdout.toString()).toContain(library);
});

/* Under no_new_privs, execve(2) ignores set-group-ID bits. */
const isBarred = readFileSync("/proc/self/status", "latin1").includes("NoNewPrivs:\t1");

test("recognises musl's dynamic loader by its name", () => {
  using dir = tempDir();
  const image = dir.join("ld-musl-x86_64.so.1");
  copyFileSync(readElf("/bin/cat")?.interpreter ?? "", image);
  const obstacle = preloadObstacle({ name: "ld", path: image, image }, libraryPath("xbind"));
  expect(obstacle?.found).toContain("it uses the C library musl");
});

const HELPERS = ["ASAN_OPTIONS", "XSOCKET_RUN_PRELOAD"] as const;

afterEach(() => {
  for (const name of HELPERS) delete process.env[name];
});

test("refuses gcc's AddressSanitizer unless it ignores the link order or is preloaded first", () => {
  using dir = tempDir();
  const [source, image] = [dir.join("x.c"), dir.join("x")];
  const obstacle = () =>
    preloadObstacle({ name: "x", path: image, image }, libraryPath("xbind"))?.found;
  writeFileSync(source, "int main(void) { return 0; }\n");
  Bun.spawnSync(["gcc", "-fsanitize=address", "-o", image, source]);
  expect(obstacle()).toContain("AddressSanitizer");
  for (const no of ["0", "false"]) {
    process.env["ASAN_OPTIONS"] = `halt_on_error=0:verify_asan_link_order=${no}`;
    expect(obstacle()).toBeUndefined();
  }
  process.env["ASAN_OPTIONS"] = "verify_asan_link_order=1";
  expect(obstacle()).toContain("AddressSanitizer");
  process.env["XSOCKET_RUN_PRELOAD"] = "/usr/lib/libasan.so.8";
  expect(obstacle()).toBeUndefined();
});

/* The obstacle found for a copy of an ordinary program after a change to the copy. */
function obstacleTo(change: (path: string) => void, library = libraryPath("xbind")) {
  using dir = tempDir();
  const image = dir.join("x");
  copyFileSync("/bin/cat", image);
  change(image);
  return preloadObstacle({ name: "x", path: image, image }, library)?.found;
}

function written(path: string, change: (bytes: Buffer) => void): void {
  const bytes = readFileSync(path);
  change(bytes);
  writeFileSync(path, bytes);
}

test("names the processors of the program and of the library where they differ", () => {
  const names = new Map([
    [62, "x86-64 (64 bit)"],
    [183, "arm64 (64 bit)"],
  ]);
  const own = readElf("/bin/cat")?.machine ?? 0;
  const other = own === 183 ? 62 : 183;
  const foreign = obstacleTo((path) => written(path, (bytes) => bytes.writeUInt16LE(other, 18)));
  expect(foreign).toBe(
    `it is built for ${names.get(other)}, and ${libraryPath("xbind")} for ${names.get(own)}`,
  );
});

function markAsGo(bytes: Buffer): void {
  bytes.write("Go\0\0", bytes.indexOf("GNU\0"), "latin1");
}

test("refuses a program of Go, even one that is linked dynamically", () => {
  expect(obstacleTo((path) => written(path, markAsGo))).toContain("it is a Go program");
});

test("refuses a musl library for a glibc program", () => {
  using dir = tempDir();
  const library = dir.join("libxbind.so");
  copyFileSync(libraryPath("xbind"), library);
  written(library, (bytes) => {
    const libc = "libc.so.6\0";
    for (let at = bytes.indexOf(libc); at >= 0; at = bytes.indexOf(libc)) bytes.fill(0, at, at + 9);
  });
  expect(obstacleTo(() => {}, library)).toBe(
    `it uses the C library glibc, and ${library} uses musl`,
  );
});

test("refuses a library that was cut off", () => {
  using dir = tempDir();
  const library = dir.join("libxbind.so");
  const whole = readFileSync(libraryPath("xbind"));
  for (const bytes of [100, 1000, whole.length / 2]) {
    writeFileSync(library, whole.subarray(0, bytes));
    expect(
      obstacleTo(() => {}, library),
      String(bytes),
    ).toBe(`${library} is not a library, or only a part of one`);
  }
});

test("accepts a program that is set-user-ID to the user who runs it", () => {
  expect(obstacleTo((path) => chmodSync(path, 0o4755))).toBeUndefined();
});

function ofGroup(gid: number, mode: number) {
  return obstacleTo((path) => {
    chownSync(path, 0, gid);
    chmodSync(path, mode);
  });
}

test.skipIf(!isRoot || isBarred)(
  "refuses a set-group-ID program only for another group that may execute it",
  () => {
    const own = process.getegid?.() ?? 0;
    expect(ofGroup(own + 1, 0o2755)).toContain("set-group-ID");
    expect(ofGroup(own + 1, 0o2745)).toBeUndefined();
    expect(ofGroup(own, 0o2755)).toBeUndefined();
  },
);

test("leaves a file that is unreadable or not ELF to the kernel", () => {
  for (const image of ["/etc/passwd", "/nowhere/program"])
    expect(
      preloadObstacle({ name: "x", path: image, image }, libraryPath("xbind")),
    ).toBeUndefined();
});
