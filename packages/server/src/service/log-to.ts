import { constants, openSync, writeSync } from "node:fs";
import { isatty } from "node:tty";
import { loadSyscalls, POLLOUT } from "@xsocket/xbind-native";
import type { Log } from "../log.ts";
import { formatLine, type LogFormat, stderrIsJournal } from "./log-line.ts";

const ROOM_BYTES = 4096; // PIPE_BUF: what fits at least where poll(2) says that there is room

/** The format that suits where stderr goes, unless somebody has chosen one. */
export function logFormat(chosen?: LogFormat): LogFormat {
  return chosen ?? (stderrIsJournal() ? "journal" : "pretty");
}

/*
 * A terminal takes a part of what there is no room for and then waits for its reader. Opened anew it
 * does not; its own flags are other programs' as well. Who may not open it has to wait.
 */
function openStderr(): number {
  if (!isatty(2)) return 2;
  try {
    return openSync(
      "/proc/self/fd/2",
      constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY,
    );
  } catch {
    return 2;
  }
}

let stderr: number | undefined;

/*
 * Writes to stderr as far as somebody takes it. A log that nobody takes must not end the server, and
 * a pipe that nobody empties must not stop the thread that has the signals.
 */
function writeStderr(line: string): boolean {
  const sys = loadSyscalls();
  stderr ??= openStderr();
  const bytes = Buffer.from(line);
  try {
    for (let start = 0; start < bytes.byteLength; start += ROOM_BYTES) {
      if ((sys.poll(stderr, POLLOUT, 0) & POLLOUT) === 0) return start > 0; // a long line is cut
      writeSync(stderr, bytes.subarray(start, start + ROOM_BYTES));
    }
    return true;
  } catch {
    return false; // EPIPE, ENOSPC, EAGAIN
  }
}

/**
 * Makes a log of lines.
 *
 * @param write takes a line, or tells that it cannot; how many were lost stands before the next one
 */
export function logTo(format: LogFormat, write: (line: string) => boolean = writeStderr): Log {
  let lost = 0;
  return ({ level, event, message, fields }) => {
    const named = format === "json" ? { event, ...fields } : fields;
    const line = formatLine(format, level, message, named);
    const gap = `${lost} lines are missing here: nobody took them`;
    const before = lost === 0 ? "" : formatLine(format, "warning", gap, {});
    if (write(before + line)) lost = 0;
    else lost++;
  };
}
