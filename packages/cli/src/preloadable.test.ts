import { expect, test } from "bun:test";
import { libraryPath } from "@xsocket/xbind-native";
import { preloadObstacle } from "./preloadable.ts";

test("an ordinary program can be preloaded", () => {
  const program = { name: "cat", path: "/bin/cat", image: "/bin/cat" };
  expect(preloadObstacle(program, libraryPath("xbind"))).toBeUndefined();
});

test("what is no ELF file, and what may not be read, is left to the kernel", () => {
  for (const image of ["/etc/passwd", "/nowhere/program"])
    expect(
      preloadObstacle({ name: "x", path: image, image }, libraryPath("xbind")),
    ).toBeUndefined();
});
