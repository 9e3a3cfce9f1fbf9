import { closeSync, constants, fstatSync, openSync, readSync, statSync, writeSync } from "node:fs";
import { codeOf, errnoName, tried } from "@xsocket/xbind-native";
import { systemError } from "../_failure.ts";
import { ServeError } from "../error.ts";
import type { LogFields } from "../log.ts";
import type { Shared } from "../memory/shared.ts";

/* O_NONBLOCK is for a FIFO: a reader that does not read must not stop the server. */
const { O_RDONLY, O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK, O_NOCTTY } = constants;
const APPEND = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY;

/** How a request ended: a socket handed over, refused by policy or bound, or failed in the kernel. */
export type Outcome = "granted" | "refused" | "failed";

/** Takes one line for each request. */
export type Audit = (outcome: Outcome, error: number, fields: LogFields) => void;

/**
 * Makes the function that writes the audit file: for each request a line of JSON, appended by one write(2), so that
 * the lines of several threads do not mix. After a line that was cut, the next one of any thread begins with a line
 * feed; if two do so at once, there is an empty line between them.
 *
 * @param failed is told why a line could not be written; serving goes on
 */
export function auditTo(fd: number, shared: Shared, failed: (reason: string) => void): Audit {
  return (outcome, error, fields) => {
    const line = {
      time: new Date().toISOString(),
      outcome,
      ...(error === 0 ? {} : { error: errnoName(error) }),
      ...fields,
    };
    const cut = shared.auditCut(); // for all threads, until a line has begun anew
    try {
      const bytes = Buffer.from(`${cut === 0 ? "" : "\n"}${JSON.stringify(line)}\n`);
      if (writeSync(fd, bytes) === bytes.byteLength) return shared.mendAudit(cut);
      shared.cutAudit(); // a full disk takes a part of it
      failed("the disk took only a part of it");
    } catch (problem) {
      failed(codeOf(problem)); // Bun calls EDQUOT an unknown error
    }
  };
}

/* A new file is readable by this user alone. */
function openFile(path: string): number {
  try {
    return openSync(path, APPEND, 0o600);
  } catch (error) {
    const kind = codeOf(error) === "ENXIO" ? statSync(path) : undefined;
    const found = kind?.isSocket()
      ? "it is a socket. Give the path of a file"
      : kind?.isFIFO() && "it is a FIFO that nobody reads. Start its reader first";
    if (found)
      throw new ServeError("SYSTEM", `cannot write the audit file ${path}: ${found}`, {
        cause: error,
      });
    const remedy = "Give the path of a file that this user may write, in a directory that exists";
    throw systemError(`write the audit file ${path}`, error, remedy);
  }
}

function isSameFile(one: number, other: number): boolean {
  try {
    const [here, there] = [one, other].map((fd) => fstatSync(fd, { bigint: true }));
    return here?.dev === there?.dev && here?.ino === there?.ino;
  } catch {
    return false; // there is none yet, or its network file system has lost it
  }
}

function lastByteOf(path: string): string {
  const fd = openSync(path, O_RDONLY);
  try {
    const byte = Buffer.alloc(1);
    return byte.toString("latin1", 0, readSync(fd, byte, 0, 1, fstatSync(fd).size - 1));
  } finally {
    closeSync(fd);
  }
}

/* Whether a file ends in part of a line, as after a full disk or a crash; false if it cannot be read. */
function endsInPart(path: string): boolean {
  return tried(() => statSync(path).size > 0 && lastByteOf(path) !== "\n") ?? false;
}

/**
 * Opens the audit file, and notes whether it ends in a whole line. If it is the same file as before, that is known,
 * and a thread may be in the middle of a line.
 *
 * @param before the descriptor of the current one
 * @returns its descriptor, or -1 without a file
 * @throws {ServeError} PERMISSION, SYSTEM
 */
export function beginAudit(path: string | undefined, shared: Shared, before = -1): number {
  if (path === undefined) return -1;
  const fd = openFile(path);
  if (isSameFile(fd, before)) return fd;
  if (endsInPart(path)) shared.cutAudit();
  else shared.mendAudit(shared.auditCut());
  return fd;
}
