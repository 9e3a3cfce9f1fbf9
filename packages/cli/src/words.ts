import { stderrIsJournal } from "@xsocket/xbind-native";
import { createConsola } from "consola/core";
import { writeErr, writeOut } from "./output.ts";

type Stream = { readonly isTTY?: boolean };

/** Whether a stream is a terminal that obeys control sequences, which one within an editor may not. */
export function takesOrders(stream: Stream): boolean {
  return stream.isTTY === true && process.env["TERM"] !== "dumb";
}

/** Whether a stream may be written to in colour. */
export function hasColour(stream: Stream): boolean {
  return takesOrders(stream) && !process.env["NO_COLOR"];
}

/* Makes a text one line without control sequences, whatever a path or another program's error contains. */
function line(text: string): string {
  return Bun.stripANSI(text)
    .replaceAll(/\s*[\n\r]\s*/g, " ")
    .replaceAll(/[\p{Cc}\p{Bidi_C}\p{Zl}\p{Zp}]/gu, "");
}

/**
 * The command's words. All of them go to stderr, one line each: stdout is for results.
 */
export const words = createConsola({
  throttle: 0, // repeated messages are not merged
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
