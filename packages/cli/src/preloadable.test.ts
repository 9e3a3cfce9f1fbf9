import { afterEach, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { libraryPath } from "@xsocket/xbind-native";
import { tempDir } from "../../../tests/harness/temp.ts";
import { readElf } from "./elf.ts";
import { preloadObstacle } from "./preloadable.ts";

test("an ordinary program can be preloaded", () => {
  const program = { name: "cat", path: "/bin/cat", image: "/bin/cat" };
  expect(preloadObstacle(program, libraryPath("xbind"))).toBeUndefined();
});

test("the dynamic loader is no obstacle to the program that it is given", () => {
  const image = readElf("/bin/cat")?.interpreter ?? "";
  const library = libraryPath("xbind");
  expect(preloadObstacle({ name: "ld.so", path: image, image }, library)).toBeUndefined();
  const env = { LD_PRELOAD: library };
  const maps = Bun.spawnSync([image, "/bin/cat", "/proc/self/maps"], { env });
  expect(maps.stdout.toString()).toContain(library);
});

const HELPERS = ["ASAN_OPTIONS", "XSOCKET_RUN_PRELOAD"] as const;

afterEach(() => {
  for (const name of HELPERS) delete process.env[name];
});

test("gcc's AddressSanitizer is an obstacle, unless it has been told or comes first", () => {
  using dir = tempDir();
  const [source, image] = [dir.join("x.c"), dir.join("x")];
  const obstacle = () =>
    preloadObstacle({ name: "x", path: image, image }, libraryPath("xbind"))?.found;
  writeFileSync(source, "int main(void) { return 0; }\n");
  Bun.spawnSync(["gcc", "-fsanitize=address", "-o", image, source]);
  expect(obstacle()).toContain("AddressSanitizer");
  process.env["ASAN_OPTIONS"] = "halt_on_error=0:verify_asan_link_order=0";
  expect(obstacle()).toBeUndefined();
  delete process.env["ASAN_OPTIONS"];
  process.env["XSOCKET_RUN_PRELOAD"] = "/usr/lib/libasan.so.8";
  expect(obstacle()).toBeUndefined();
});

test("what is no ELF file, and what may not be read, is left to the kernel", () => {
  for (const image of ["/etc/passwd", "/nowhere/program"])
    expect(
      preloadObstacle({ name: "x", path: image, image }, libraryPath("xbind")),
    ).toBeUndefined();
});
