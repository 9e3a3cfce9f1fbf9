import { stderrIsJournal } from "@xsocket/xbind-native";
import { createConsola } from "consola/core";
import { writeErr, writeOut } from "./output.ts";

/** Whether a stream may be written to in colour: a terminal that knows colours, and no NO_COLOR. */
export function hasColour(stream: { readonly isTTY?: boolean }): boolean {
  const { NO_COLOR, TERM } = process.env;
  return stream.isTTY === true && !NO_COLOR && TERM !== "dumb";
}

/* One line that a terminal takes for nothing else, whatever a path or another program's error holds. */
function line(text: string): string {
  return Bun.stripANSI(text)
    .replaceAll(/\s*[\n\r]\s*/g, " ")
    .replaceAll(/[\p{Cc}\p{Bidi_C}\p{Zl}\p{Zp}]/gu, "");
}

/**
 * The command's words. All of them go to stderr, one line each: stdout is for results.
 */
export const words = createConsola({
  reporters: [
    {
      log: ({ type, args }) => {
        const isWarning = type === "warn";
        const priority = stderrIsJournal() ? `<${isWarning ? 4 : 3}>` : "";
        const mark = isWarning ? "warning: " : "";
        writeErr(`${priority}xsocket: ${mark}${line(args.join(" "))}\n`);
      },
    },
  ],
});

/**
 * Writes a result to stdout.
 *
 * @throws {FailureError} if it cannot be written
 */
export function result(text: string): void {
  writeOut(text.endsWith("\n") ? text : `${text}\n`);
}
