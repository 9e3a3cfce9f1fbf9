import { isLogged, type LogLevel, type LogRecord } from "../log.ts";

const RECORDS_PER_SECOND = 20; // of one event and thread; what clients cause must not flood the log

/** Records of one thread that may wait for the main thread, which writes them. */
export const RECORDS_WAITING_MAX = 1024;

/** Logs a record. Fields that are costly to find are given as a function, which is called only if it is logged. */
export type Voice = (
  level: LogLevel,
  event: string,
  message: string,
  fields?: LogRecord["fields"] | (() => LogRecord["fields"]),
) => void;

/**
 * Makes a thread's voice, which sends the wanted records, but only so many a second of each kind of event.
 * Those left out are counted, and the next record says how many. Debug records have no such limit, since
 * whoever wants them wants all. But records of any level are left out while too many wait for the main thread.
 *
 * @param waiting how many records are on their way
 */
export function limitedVoice(
  wanted: LogLevel,
  send: (record: LogRecord) => void,
  now: () => number,
  waiting: () => number,
): Voice {
  const windows = new Map<string, { until: number; sent: number; left: number }>();
  return (level, event, message, fields = {}) => {
    if (!isLogged(level, wanted)) return;
    const window = windows.get(event) ?? { until: 0, sent: 0, left: 0 };
    windows.set(event, window);
    if (now() >= window.until) {
      window.until = now() + 1000;
      window.sent = 0;
    }
    const isTooMany = level !== "debug" && ++window.sent > RECORDS_PER_SECOND;
    if (isTooMany || waiting() >= RECORDS_WAITING_MAX) {
      window.left++;
      return;
    }
    const more = window.left > 0 ? ` (and ${window.left} more of this kind before)` : "";
    window.left = 0;
    const found = typeof fields === "function" ? fields() : fields;
    send({ level, event, message: message + more, fields: found });
  };
}
