import { join } from "node:path";
import { ROOT } from "./root.ts";
import { here, type Result } from "./place.ts";
import type { TempDir } from "./temp.ts";

/** The limit for configuring, building and installing, in milliseconds. */
export const INSTALL_MS = 300_000;

/** Runs a program that must succeed. @throws {Error} with its output if it fails */
export async function succeed(
  argv: readonly string[],
  options: { env?: Record<string, string>; cwd?: string } = {},
): Promise<Result> {
  const result = await here.run(argv, { ...options, withinMs: INSTALL_MS });
  if (result.code !== 0) throw new Error(`${argv.join(" ")}: ${result.stderr}${result.stdout}`);
  return result;
}

/**
 * Builds and installs the libraries as a packager does, below `dir`.
 *
 * @returns the environment in which pkg-config and programs find them
 */
export async function install(dir: TempDir): Promise<Record<string, string>> {
  const [build, prefix] = [dir.join("build"), dir.join("usr")];
  const options = ["-DCMAKE_BUILD_TYPE=Release", "-DBUILD_TESTING=OFF", "-G", "Ninja"];
  await succeed(["cmake", "-S", ROOT, "-B", build, ...options]);
  await succeed(["cmake", "--build", build]);
  await succeed(["cmake", "--install", build, "--prefix", prefix]);
  const [pc] = [...new Bun.Glob("**/xsocket.pc").scanSync(prefix)];
  if (pc === undefined) throw new Error(`no xsocket.pc below ${prefix}`);
  const PKG_CONFIG_PATH = join(prefix, pc, "..");
  const libdir = ["pkg-config", "--variable=libdir", "xsocket"];
  const { stdout } = await succeed(libdir, { env: { PKG_CONFIG_PATH } });
  return { PKG_CONFIG_PATH, LD_LIBRARY_PATH: stdout.trim() };
}
