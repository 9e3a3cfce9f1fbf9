import { fileURLToPath, pathToFileURL } from "bun";
import { readFileSync } from "node:fs";
import { codeOf, libraryPath } from "@xsocket/xbind-native";
import { systemError } from "../_failure.ts";
import { isScarcity } from "../serving/scarce.ts";

/* @throws {ServeError} SYSTEM where there is nothing left to read it with */
function contents(file: URL): bigint | number | undefined {
  try {
    return Bun.hash(readFileSync(file));
  } catch (error) {
    if (isScarcity(codeOf(error))) throw systemError(`read ${fileURLToPath(file)}`, error);
    return undefined; // whoever runs it learns why
  }
}

/* The file of our package, which has the version; none beside a bundle, whose package is another one. */
function manifests(file: URL): URL[] {
  const manifest = new URL("../package.json", file);
  try {
    const isOurs = /"name":\s*"@xsocket\/server"/.test(readFileSync(manifest, "utf8"));
    return isOurs ? [manifest] : [];
  } catch {
    return [];
  }
}

function libraries(): URL[] {
  try {
    return [pathToFileURL(libraryPath("xsocket"))];
  } catch {
    return []; // no descriptor is left to look for it, which the first thread says
  }
}

/** A program that is not what it was. */
export class ReplacedError extends Error {
  override readonly name = "ReplacedError";
}

/**
 * The file that threads are started from, long after the others may be, the package that it is in, where what
 * it imports is in files of their own, and the library. An upgrade replaces them, and threads of two versions do
 * not agree about the memory that they share. Without the library each would die at once.
 */
export class Program {
  readonly file: URL;
  readonly #contents: ReadonlyMap<URL, ReturnType<typeof contents>>;

  constructor(file: URL) {
    this.file = file;
    const parts = [file, ...manifests(file), ...libraries()];
    this.#contents = new Map(parts.map((part) => [part, contents(part)]));
  }

  /** @throws {ReplacedError} if it is not what it was; {ServeError} SYSTEM if that cannot be seen for now */
  expectSame(): void {
    for (const [part, before] of this.#contents)
      if (contents(part) !== before)
        throw new ReplacedError(
          `${fileURLToPath(part)} has changed since this server started. Restart the server, so that it is of one version`,
        );
  }
}
