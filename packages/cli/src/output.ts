import { writeSync } from "node:fs";
import { codeOf, tried } from "@xsocket/xbind-native";
import { EXIT, FailureError } from "./errors.ts";

const AGAIN_MS = 1; // between two tries at a pipe that is full and does not block

/** The reader of the output is gone, which is no failure and needs no words. */
class UnreadError extends FailureError {
  override readonly name = "UnreadError";
  override readonly exitCode = EXIT.unread;
}

/* Writes all of a text, and waits for a slow reader. */
function writeAll(fd: number, text: string): void {
  let rest = Buffer.from(text);
  while (rest.byteLength > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      if (codeOf(error) !== "EAGAIN") throw error;
      Bun.sleepSync(AGAIN_MS);
    }
  }
}

/**
 * Writes to standard output, where results go.
 *
 * @throws {FailureError} if it cannot be written
 */
export function writeOut(text: string): void {
  try {
    writeAll(1, text);
  } catch (error) {
    const code = codeOf(error);
    if (code === "EPIPE") throw new UnreadError("", { cause: error });
    const message = `the result cannot be written (${code}): check where standard output goes, and whether there is room`;
    throw new FailureError(message, { cause: error });
  }
}

/** Writes to standard error, where words go. If that fails, they are lost. */
export function writeErr(text: string): void {
  tried(() => writeAll(2, text)); // EPIPE, EBADF, ENOSPC
}
