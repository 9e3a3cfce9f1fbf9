import { expect, test } from "bun:test";
import { appendFileSync, copyFileSync, rmSync } from "node:fs";
import { libraryPath } from "@xsocket/xbind-native";
import { tempDir } from "../../../../tests/harness/temp.ts";
import { Program } from "./program.ts";

const FILE = new URL(import.meta.url);

test.each([
  ["gone", (library: string) => rmSync(library)],
  ["another one", (library: string) => appendFileSync(library, "of another version")],
])("a program is not the same once its library is %s", (_what, change) => {
  using dir = tempDir();
  const library = dir.join("libxsocket.so");
  copyFileSync(libraryPath("xsocket"), library);
  process.env["XSOCKET_LIBDIR"] = dir.path;
  try {
    const program = new Program(FILE);
    program.expectSame();
    change(library);
    expect(() => program.expectSame()).toThrow(
      `${library} has changed since this server started. Restart the server`,
    );
  } finally {
    delete process.env["XSOCKET_LIBDIR"];
  }
});
