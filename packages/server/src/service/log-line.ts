import { escapeJson, escapeText } from "../_escape.ts";
import { LOG_LEVELS, type LogFields, type LogRecord } from "../log.ts";

/** How a line is written. */
export type LogFormat = "pretty" | "json" | "journal";

/* Fields that a line for people has in its message already. */
const IN_MESSAGE = new Set(["asked", "reason", "rule"]);

function fieldText(value: string | number | boolean): string {
  const text = escapeText(String(value));
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
}

function fieldsText(fields: LogFields): string {
  return Object.entries(fields)
    .map(([key, value]) =>
      value === undefined || IN_MESSAGE.has(key) ? "" : ` ${key}=${fieldText(value)}`,
    )
    .join("");
}

/** Writes one event as one line: with a priority for the journal, as JSON, or for a person. */
export function formatLine(format: LogFormat, record: LogRecord): string {
  const { level, event, message, fields } = record;
  switch (format) {
    case "json":
      return `${escapeJson(JSON.stringify({ time: new Date(), level, message, event, ...fields }))}\n`;
    case "journal":
      return `<${LOG_LEVELS[level]}>${escapeText(message)}${fieldsText(fields)}\n`;
    case "pretty":
      return `xsocket: ${level === "info" ? "" : `${level}: `}${escapeText(message)}${fieldsText(fields)}\n`;
  }
}
