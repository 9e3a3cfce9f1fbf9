import { existsSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { tried } from "./thrown.ts";

/** The two native libraries: `xsocket` for C programs and for us, `xbind` to be preloaded. */
type LibraryName = "xsocket" | "xbind";

/**
 * The installed files cannot be used. No line of a program is the cause, so the stack names no file, and Bun
 * shows no line.
 */
export class InstallationError extends Error {
  override readonly name: string = "InstallationError";

  constructor(message: string) {
    super(message);
    this.stack = `${new.target.name}: ${message}\n    at xsocket (@xsocket/xbind-native)`;
  }
}

/** No library for this platform was found. The message lists where it was looked for. */
export class LibraryNotFoundError extends InstallationError {
  override readonly name = "LibraryNotFoundError";

  constructor(library: LibraryName, searched: readonly string[]) {
    const name = `lib${library}.so`;
    super(`${name} was not found in ${searched.join(", ")}: ${remedy(library, name)}`);
  }
}

/* A library that is installed is not looked for while XSOCKET_LIBDIR names another directory. */
function remedy(library: LibraryName, name: string): string {
  if (process.env["XSOCKET_LIBDIR"]) return "correct XSOCKET_LIBDIR, or leave it out";
  const install =
    library === "xsocket" && isEmbedded(import.meta.dir)
      ? `build it in beside the program (bun build --compile --asset-naming='[name].[ext]' program.ts node_modules/${platformName()}/${name})`
      : `reinstall xsocket (in a checkout with "./dev build", from npm with the package ${platformName()})`;
  return `${install}, or name its directory in XSOCKET_LIBDIR`;
}

/* The name of npm's package for this platform. That of the other libc would not load. */
function platformName(): string {
  const musl = readFileSync("/proc/self/maps", "latin1").includes("/ld-musl-");
  return `@xsocket/native-linux${musl ? "musl" : ""}-${process.arch}`;
}

/* Bun looks for the packages of a compiled executable in the current directory, which may be anybody's. */
function platformPackage(): string[] {
  if (isEmbedded(import.meta.dir)) return [];
  const manifest = tried(() => Bun.resolveSync(`${platformName()}/package.json`, import.meta.dir));
  return manifest === undefined ? [] : [dirname(manifest)]; // it may not be installed
}

/* The local build, unless this file is in a bundle: three directories above one may be anybody's, such as /tmp. */
function localBuild(): string[] {
  if (import.meta.file !== "libraries.ts") return [];
  return [join(import.meta.dir, "../../../build/release/packages/xbind-native")];
}

/*
 * The directories that may hold the libraries, the first one that has them wins: the one that the
 * user names, beside the installed command (this file is then part of a bundle), the local build,
 * and npm's package for this platform.
 */
function directories(): string[] {
  const named = process.env["XSOCKET_LIBDIR"];
  return named ? [named] : [import.meta.dir, ...localBuild(), ...platformPackage()];
}

/** Whether a file lies in a compiled executable, which Bun alone can look into. */
export function isEmbedded(path: string): boolean {
  return path.startsWith("/$bunfs/");
}

/**
 * Finds one of the native libraries for this platform.
 *
 * @returns its absolute path, without symbolic links
 * @throws {LibraryNotFoundError} if it is in none of the places
 */
export function libraryPath(library: LibraryName): string {
  const searched = directories();
  for (const directory of searched) {
    const path = join(directory, `lib${library}.so`);
    if (!existsSync(path)) continue;
    if (!isEmbedded(path)) return realpathSync(path);
    if (library === "xsocket") return path;
  }
  throw new LibraryNotFoundError(library, searched);
}
