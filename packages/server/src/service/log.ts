import { fstatSync } from "node:fs";

/** The levels of syslog(3) that are used here, most urgent first, with their numbers. */
export const LOG_LEVELS = { error: 3, warning: 4, notice: 5, info: 6, debug: 7 } as const;
export type LogLevel = keyof typeof LOG_LEVELS;
export type LogFormat = "pretty" | "json" | "journal";

/** What else is known about an event, for who searches for it. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/* Control characters could move the cursor, forge a line, or end one, and those of bidirectional text
   could make the rest of a line read otherwise. */
const CONTROL =
  // oxlint-disable-next-line no-control-regex
  /[\u0000-\u001F\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069]/g;

/** Makes text that came from somebody else safe for a terminal and a log of lines. */
export function escapeText(text: string): string {
  return text.replaceAll(CONTROL, (character) => {
    const code = character.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
  });
}

/** Makes JSON safe for a terminal as well, which obeys some of what JSON leaves as it is. */
export function escapeJson(json: string): string {
  return json.replaceAll(
    CONTROL,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function fieldText(value: string | number | boolean): string {
  const text = escapeText(String(value));
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
}

function fieldsText(fields: LogFields): string {
  return Object.entries(fields)
    .map(([key, value]) => (value === undefined ? "" : ` ${key}=${fieldText(value)}`))
    .join("");
}

/** Writes one event as one line: with a priority for the journal, as JSON, or for a person. */
export function formatLine(
  format: LogFormat,
  level: LogLevel,
  message: string,
  fields: LogFields,
  now = new Date(),
): string {
  switch (format) {
    case "json":
      return `${escapeJson(JSON.stringify({ time: now.toISOString(), level, message, ...fields }))}\n`;
    case "journal":
      return `<${LOG_LEVELS[level]}>${escapeText(message)}${fieldsText(fields)}\n`;
    case "pretty":
      return `xsocket: ${level === "info" ? "" : `${level}: `}${escapeText(message)}${fieldsText(fields)}\n`;
  }
}

/** Answers whether stderr is the journal's stream: systemd.exec(5) says to compare device and inode. */
export function stderrIsJournal(env: NodeJS.ProcessEnv = process.env, fd = 2): boolean {
  const stream = env["JOURNAL_STREAM"];
  if (!stream) return false;
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}
