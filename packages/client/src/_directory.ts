/* The directories of the relays' sockets. Only this user can enter them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { codeOf, tried } from "@xsocket/xbind-native";
import { misuse } from "./_options.ts";

/* Those not removed yet: what is left is removed when the process exits. */
const directories = new Set<string>();

function temporaryDirectory(): string {
  try {
    return mkdtempSync(join(tmpdir(), "xsocket-relay-"));
  } catch (error) {
    const found = `the socket of a relay takes a directory in ${tmpdir()}, where none can be made`;
    throw misuse("serve", found, "Let TMPDIR name one that this user may write to.", codeOf(error));
  }
}

export function makeDirectory(): string {
  const directory = temporaryDirectory();
  directories.add(directory);
  process.off("exit", removeAll).on("exit", removeAll); // once
  return directory;
}

/** Removes it if it can be: a failure here would hide another one, or be a stack trace at the program's end. */
export function removeDirectory(directory: string): void {
  tried(() => rmSync(directory, { recursive: true, force: true }));
  directories.delete(directory);
  if (directories.size === 0) process.off("exit", removeAll); // each run under --hot has its own
}

function removeAll(): void {
  for (const directory of directories) removeDirectory(directory);
}
