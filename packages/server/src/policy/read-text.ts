import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { codeOf, loadSyscalls, POLLIN } from "@xsocket/xbind-native";
import { REMEDIES } from "../_failure.ts";
import { PolicyError } from "./error.ts";

/* The longest policy file in bytes: a mistaken path must not fill the memory. */
const POLICY_BYTES_MAX = 1 << 20;
/* How long the text of a pipe may take to arrive, in milliseconds. */
const PIPE_WAIT_MS = 5000;

function failure(path: string, text: string, options?: ErrorOptions): PolicyError {
  return new PolicyError(path, [{ text }], options);
}

/* A regular file is always ready; a pipe may be silent for ever, and a FIFO may have no writer. */
function awaitText(fd: number, path: string, until: number): void {
  const sys = loadSyscalls();
  for (let left = until - sys.monotonic(); left > 0; left = until - sys.monotonic())
    if (sys.poll(fd, POLLIN, Math.ceil(left)) > 0) return;
  throw failure(
    path,
    `is not a regular file, and its text did not end within ${PIPE_WAIT_MS / 1000} s: give the path of a file, or a pipe that ends`,
  );
}

/* Reads a file into `bytes`, as much as fits. */
function fill(fd: number, path: string, bytes: Uint8Array): number {
  const until = loadSyscalls().monotonic() + PIPE_WAIT_MS;
  let length = 0;
  for (let read = -1; read !== 0 && length < bytes.byteLength; length += read) {
    awaitText(fd, path, until);
    read = readSync(fd, bytes, length, bytes.byteLength - length, null);
  }
  return length;
}

function remedyFor(path: string, code: string): string {
  if (code === "EACCES")
    return `Let uid ${process.geteuid?.()} read it and enter its directories, or give another path`;
  const remedy = "Give the path of a file that the server's user may read";
  // a shell's <(command), for one, is the path of a descriptor, and --user keeps none for the program that it starts
  if (code !== "ENOENT" || !/^\/(?:proc\/self|dev)\/fd\//.test(path))
    return REMEDIES[code] ?? remedy;
  return `There is no such descriptor in this process, and --user keeps none. ${remedy}`;
}

function readOpen(fd: number, path: string, again: boolean): string {
  const found = fstatSync(fd);
  // reading a directory gives its own error
  if (again && !found.isFile() && !found.isDirectory())
    throw failure(
      path,
      "is not a regular file, so it can be read only once: give the path of a file to reload a policy",
    );
  const bytes = Buffer.alloc(POLICY_BYTES_MAX + 1);
  const length = fill(fd, path, bytes);
  if (length <= POLICY_BYTES_MAX) return bytes.toString("utf8", 0, length);
  throw failure(path, `the file has more than ${POLICY_BYTES_MAX} bytes: name a policy`);
}

/**
 * Reads the text of a policy. Whatever lies at the path, this does not wait for ever.
 *
 * @param again whether it was read before: only a regular file can be read again
 * @throws {PolicyError} if it cannot be read
 */
export function readText(path: string, again: boolean): string {
  let fd = -1;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    return readOpen(fd, path, again);
  } catch (error) {
    if (error instanceof PolicyError) throw error;
    const code = codeOf(error);
    throw failure(path, `cannot be read (${code}). ${remedyFor(path, code)}`, { cause: error });
  } finally {
    if (fd >= 0) closeSync(fd);
  }
}
