import { DEFAULT_LOG_LEVEL, type ServeOptions } from "./options.ts";

/** The levels of syslog(3) that are used here, most urgent first, with their numbers. */
export const LOG_LEVELS = { error: 3, warning: 4, notice: 5, info: 6, debug: 7 } as const;
/** How urgent a record is, by the names of {@link LOG_LEVELS}. */
export type LogLevel = keyof typeof LOG_LEVELS;

/** Details of an event, to search by. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** One event in the server's log. */
export interface LogRecord {
  readonly level: LogLevel;
  /** The kind of event, a stable word, for example "denied". */
  readonly event: string;
  /** One line for people. Text that came from a peer is escaped in it. */
  readonly message: string;
  /** The numbers and names behind the message. */
  readonly fields: LogFields;
}

/** Takes the server's records, on the main thread. */
export type Log = (record: LogRecord) => void;

/** Logs an event, if anybody takes the records. */
export function say(
  log: Log | undefined,
  level: LogLevel,
  event: string,
  message: string,
  fields: LogFields = {},
): void {
  log?.({ level, event, message, fields });
}

/** Whether a record of `level` is at least as urgent as `wanted`, the log level that was asked for. */
export function isLogged(level: LogLevel, wanted: LogLevel): boolean {
  return LOG_LEVELS[level] <= LOG_LEVELS[wanted];
}

/** Wraps `log` to drop records below `logLevel`. What `log` throws becomes an uncaught exception. */
export function wantedOf({
  log = () => {},
  logLevel = DEFAULT_LOG_LEVEL,
}: Pick<ServeOptions, "log" | "logLevel">): Log {
  return (record) => {
    if (!isLogged(record.level, logLevel)) return;
    try {
      log(record);
    } catch (error) {
      reportError(error); // what is under way, such as a stop, goes on
    }
  };
}
