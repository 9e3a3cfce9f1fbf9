/* `cmake --install` installs what docs/packages.md lists. */
import { expect, test } from "bun:test";
import { dirname, join } from "node:path";
import { here, ROOT, startServer, tempDir, textOf } from "../harness/index.ts";
import { INSTALL_MS, succeed } from "../harness/install.ts";
import { blocksOf } from "./blocks.ts";

const { version }: { version: string } = JSON.parse(textOf("package.json"));

/* makepkg's and Fedora's flags have a fortify level of their own, and a later compiler may warn of more. */
const CFLAGS = "-O2 -flto=auto -fexceptions -Wp,-D_FORTIFY_SOURCE=3 -Wpadded";

test(
  "docs/packages.md lists exactly the installed files",
  async () => {
    using dir = tempDir();
    const [build, command, root] = [dir.join("build"), dir.join("command"), dir.join("root")];
    const env = {
      PATH: `${dirname(process.execPath)}:${process.env["PATH"]}`,
      XSOCKET_BUN: process.execPath,
      DESTDIR: root,
    };
    await succeed(["sh", "scripts/command.sh", command], { env, cwd: ROOT });
    const options = ["-DCMAKE_BUILD_TYPE=Release", "-DBUILD_TESTING=OFF", "-G", "Ninja"];
    const libraries = ["-DCMAKE_INSTALL_LIBDIR=LIBDIR", "-DXSOCKET_PYTHONDIR=PYTHONDIR"];
    const places = ["-DCMAKE_INSTALL_PREFIX=/usr", ...libraries];
    const bundle = `-DXSOCKET_COMMAND_DIR=${command}`;
    const configure = ["cmake", "-S", ROOT, "-B", build, ...options, ...places, bundle];
    await succeed(configure, { env: { CFLAGS } });
    await succeed(["cmake", "--build", build, "--parallel", "2"]);
    await succeed(["cmake", "--install", build], { env });
    const usr = join(root, "usr");
    const list = ["find", usr, "!", "-type", "d", "-printf", "%P\\n"];
    const { stdout } = await succeed(list);
    const installed = stdout.replaceAll(version, "VERSION").trim().split("\n");
    const listed = blocksOf("docs/packages.md").find(({ code }) => code.startsWith("LIBDIR/"));
    expect(`${installed.toSorted().join("\n")}\n`).toBe(listed?.code ?? "");

    // the command ignores a library where a checkout would have its build
    const foreign = join(root, "build/release/packages/xbind-native/libxbind.so");
    await Bun.write(foreign, "");
    const { stdout: found } = await succeed([join(usr, "bin/xsocket"), "lib", "xbind"]);
    expect(found).toBe(`${join(usr, "LIBDIR/libxbind.so")}\n`);

    const program = dir.join("alternate_stack");
    const source = join(ROOT, "tests/programs/alternate_stack.c");
    await succeed(["gcc", "-Wall", "-Wextra", "-Werror", "-o", program, source]);
    await using server = await startServer();
    const preloaded = { LD_PRELOAD: found.trim(), XSOCKET: server.path, XBIND: "0" };
    await succeed([program], { env: preloaded });

    for (const script of ["main.js", "_worker.ts"]) {
      const run = [join(usr, "lib/xsocket/bun"), join(usr, "lib/xsocket", script)];
      const { stderr } = await here.run(run, { env: { BUN_JSC_verboseDiskCache: "1" } });
      expect(stderr).toContain("Cache hit");
    }
  },
  INSTALL_MS,
);
