import { writeSync } from "node:fs";
import type { Log } from "../log.ts";
import { formatLine, type LogFormat, stderrIsJournal } from "./log.ts";

/** The format that suits where stderr goes, unless somebody has chosen one. */
export function logFormat(chosen?: LogFormat): LogFormat {
  return chosen ?? (stderrIsJournal() ? "journal" : "pretty");
}

/* A log that nobody takes must not end the server. */
function writeStderr(line: string): void {
  try {
    writeSync(2, line);
  } catch {
    /* EPIPE, EAGAIN, ENOSPC: the line is lost */
  }
}

/** Makes a log of lines. */
export function logTo(format: LogFormat, write: (line: string) => void = writeStderr): Log {
  return ({ level, event, message, fields }) => {
    const named = format === "json" ? { event, ...fields } : fields;
    write(formatLine(format, level, message, named));
  };
}
