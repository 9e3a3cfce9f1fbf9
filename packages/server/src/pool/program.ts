import { fileURLToPath, pathToFileURL } from "bun";
import { readFileSync } from "node:fs";
import { codeOf, libraryPath, tried } from "@xsocket/xbind-native";
import { systemError } from "../_failure.ts";
import { isScarcity } from "../serving/scarce.ts";

/* The hash of a file. @throws {ServeError} SYSTEM if no descriptor or memory is left to read it */
function contents(file: URL): bigint | number | undefined {
  try {
    return Bun.hash(readFileSync(file));
  } catch (error) {
    if (isScarcity(codeOf(error))) throw systemError(`read ${fileURLToPath(file)}`, error);
    return undefined; // starting it will say why
  }
}

/* The package.json of our package, which has the version; none beside a bundle, which is in another package. */
function manifests(file: URL): URL[] {
  const manifest = new URL("../package.json", file);
  const text = tried(() => readFileSync(manifest, "utf8")) ?? "";
  return /"name":\s*"@xsocket\/server"/.test(text) ? [manifest] : [];
}

/* None where no descriptor is left to look for it: the start of the first thread says so. */
function libraries(): URL[] {
  return tried(() => [pathToFileURL(libraryPath("xsocket"))]) ?? [];
}

/** The program has been replaced since the server started. */
export class ReplacedError extends Error {
  override readonly name = "ReplacedError";
}

/**
 * The files that a thread is started from, maybe long after the others: the script, its package, since what it
 * imports may be in files of their own, and the library. An upgrade replaces them, and threads of two versions do
 * not agree about the memory that they share. Without the library a thread would die at once.
 */
export class Program {
  readonly file: URL;
  readonly #contents: ReadonlyMap<URL, ReturnType<typeof contents>>;

  constructor(file: URL) {
    this.file = file;
    const parts = [file, ...manifests(file), ...libraries()];
    this.#contents = new Map(parts.map((part) => [part, contents(part)]));
  }

  /** @throws {ReplacedError} if one of them has changed; {ServeError} SYSTEM if that cannot be found out for now */
  expectSame(): void {
    for (const [part, before] of this.#contents)
      if (contents(part) !== before)
        throw new ReplacedError(
          `${fileURLToPath(part)} has changed since this server started. Restart the server, so that it is of one version`,
        );
  }
}
