import { expect, test } from "bun:test";
import { appendFileSync, copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { libraryPath } from "@xsocket/xbind-native";
import { here, tempDir } from "../../../../tests/harness/index.ts";
import { Program } from "./program.ts";

const FILE = new URL(import.meta.url);

/* Calls expectSame() while no descriptor is left. */
const STARVED = `
  import { openSync } from "node:fs";
  import { Program } from ${JSON.stringify(join(import.meta.dir, "program.ts"))};
  const program = new Program(new URL(${JSON.stringify(import.meta.url)}));
  try {
    for (;;) openSync("/dev/null");
  } catch {}
  try {
    program.expectSame();
  } catch (error) {
    console.log(error.name, error.message);
  }`;

test.each([
  ["gone", (library: string) => rmSync(library)],
  ["another one", (library: string) => appendFileSync(library, "of another version")],
])("refuses the program once its library is %s", (_what, change) => {
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

test("reports a lack of descriptors and not a changed program", async () => {
  const argv = ["prlimit", "--nofile=128:128", process.execPath, "-e", STARVED];
  expect((await here.run(argv)).stdout).toBe(
    `ServeError cannot read ${import.meta.path}: EMFILE. Raise the limit of open files (ulimit -n, LimitNOFILE=)\n`,
  );
});
