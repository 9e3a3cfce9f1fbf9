import { constants, fstatSync, openSync, writeSync } from "node:fs";
import { loadSyscalls, POLLOUT, stderrIsJournal } from "@xsocket/xbind-native";
import { type Log, LOG_LEVELS, type LogRecord } from "../log.ts";
import { formatLine, type LogFormat } from "./log-line.ts";

const ROOM_BYTES = 4096; // PIPE_BUF: what fits at least where poll(2) says that there is room
const PIECE_BYTES = 128; // a pseudo-terminal counts its room in steps of 256
const LINE_END = 0x0a;

/* Where the log goes. */
interface Sink {
  readonly fd: number;
  readonly mayBlock: boolean; // on a line for which there is not enough room
}

/*
 * A terminal without room for all of a line would block us, so it is opened anew with O_NONBLOCK: set on
 * descriptor 2 that flag would hold for other programs as well. Where it may not be opened, as after su(1) or
 * with --user, it is given little at a time.
 */
function openStderr(): Sink {
  try {
    if (!fstatSync(2).isCharacterDevice()) return { fd: 2, mayBlock: false }; // isatty() would load node:tty, some milliseconds
    const flags = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
    return { fd: openSync("/proc/self/fd/2", flags), mayBlock: false };
  } catch {
    return { fd: 2, mayBlock: true };
  }
}

/* What is written next. A terminal makes two bytes of the end of a line, so that is a piece of its own. */
function pieceOf(rest: Uint8Array, { mayBlock }: Sink): Uint8Array {
  if (!mayBlock) return rest.subarray(0, ROOM_BYTES);
  const end = rest.subarray(0, PIECE_BYTES).indexOf(LINE_END);
  return rest.subarray(0, end < 0 ? PIECE_BYTES : Math.max(end, 1));
}

let stderr: Sink | undefined;

/*
 * Writes to stderr what it takes without blocking, and returns how many bytes. A log that is closed must not end the
 * server, and a pipe that nobody reads must not stop the thread that handles the signals.
 */
function writeStderr(bytes: Uint8Array): number {
  const sys = loadSyscalls();
  stderr ??= openStderr();
  let taken = 0;
  try {
    while (taken < bytes.byteLength && (sys.poll(stderr.fd, POLLOUT, 0) & POLLOUT) !== 0)
      taken += writeSync(stderr.fd, pieceOf(bytes.subarray(taken), stderr));
  } catch {
    // EPIPE, ENOSPC, EAGAIN
  }
  return taken;
}

/**
 * Makes a log that writes lines. A line that was written in part, as on a full disk, counts as lost, and the next
 * begins on a new line. The number of lost lines is written before the next one.
 *
 * @param format by default what suits the place where stderr goes
 * @param write writes what it can, and returns how many bytes
 */
export function logTo(
  format: LogFormat = stderrIsJournal() ? "journal" : "pretty",
  write: (lines: Uint8Array) => number = writeStderr,
): Log {
  let lost = 0;
  let isCut = false;
  const isMarked = format === "json" && stderrIsJournal(); // the journal takes the mark off
  const lineOf = (record: LogRecord): string => {
    const line = formatLine(format, record);
    return isMarked ? `<${LOG_LEVELS[record.level]}>${line}` : line;
  };
  return (record) => {
    const line = lineOf(record);
    const message = `${lost === 1 ? "a line is" : `${lost} lines are`} missing here that nobody took`;
    const gap = { level: "warning", event: "lost", message, fields: {} } as const;
    const before = lost === 0 ? "" : lineOf(gap);
    const head = `${isCut ? "\n" : ""}${before}`;
    const bytes = Buffer.from(head + line);
    const taken = write(bytes);
    if (taken > 0) isCut = bytes[taken - 1] !== LINE_END;
    if (taken >= head.length) lost = 0;
    if (taken < bytes.byteLength) lost++;
  };
}
