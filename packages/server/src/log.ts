import { LOG_LEVELS, type LogFields, type LogLevel } from "./service/log.ts";

/** What the server has to say: one event. */
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

/** Tells whether a record of `level` is wanted by who asked for `wanted` and what is more urgent. */
export function isLogged(level: LogLevel, wanted: LogLevel): boolean {
  return LOG_LEVELS[level] <= LOG_LEVELS[wanted];
}
