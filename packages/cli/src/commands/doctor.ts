import { styleText } from "node:util";
import type { ArgsDef } from "citty";
import { escapeJson, escapeText } from "@xsocket/server";
import { SERVER_ARGUMENT, serverSocket } from "../address.ts";
import { command, flag, many } from "../command.ts";
import { examine } from "../doctor/examine.ts";
import { isWell, type Row } from "../doctor/row.ts";
import { EXIT, MisuseError } from "../errors.ts";
import { PORT_MAX, typesOf } from "../ports.ts";
import { hasColour, result } from "../words.ts";

const args = {
  address: SERVER_ARGUMENT,
  port: many(
    "PORT",
    "Check this port in the target namespace: 3000, tcp/53 or udp/53; may be repeated",
  ),
  "same-namespace": flag("Do not warn that server and program are in the same namespace"),
  json: flag("Print JSON"),
} as const satisfies ArgsDef;

function readPort(text: string) {
  const digits = /^(?:tcp\/|udp\/)?(\d+)$/.exec(text)?.[1];
  const port = Number(digits ?? -1);
  if (digits === undefined || port < 1 || port > PORT_MAX)
    throw new MisuseError(
      `"${text}" is not a port: give a number from 1 to ${PORT_MAX}, tcp/53 or udp/53; repeat --port for more than one`,
    );
  return { port, types: typesOf(text) };
}

const MARKS = { ok: "ok", warning: "warning", failed: "FAILED", skipped: "-" } as const;
const COLOURS = { ok: "green", warning: "yellow", failed: "red", skipped: "gray" } as const;
const MARK_COLUMNS = Math.max(...Object.values(MARKS).map((mark) => mark.length));

function markOf(status: Row["status"]): string {
  const text = MARKS[status].padEnd(MARK_COLUMNS);
  return hasColour(process.stdout)
    ? styleText(COLOURS[status], text, { validateStream: false })
    : text;
}

function shown(rows: readonly Row[]): string {
  const width = Math.max(...rows.map(({ name }) => name.length));
  const indent = " ".repeat(MARK_COLUMNS + width + 4);
  return rows
    .flatMap(({ name, status, found, remedy }) => [
      `${markOf(status)}  ${name.padEnd(width)}  ${escapeText(found)}`,
      ...(remedy === undefined ? [] : [`${indent}-> ${escapeText(remedy)}`]),
    ])
    .join("\n");
}

/* Escapes each line by itself, since the line feeds between them are our own. */
function indented(report: object): string {
  const lines = JSON.stringify(report, undefined, 2).split("\n");
  return lines.map((line) => escapeJson(line)).join("\n");
}

export default command({
  meta: { description: "Find out what does not work, and how to fix it" },
  args,
  program: "[-- PROGRAM]",
  execute({ address, port, "same-namespace": sameNamespace, json }, { program }) {
    const rows = examine({
      socket: serverSocket(address),
      ports: port.map((text) => readPort(text)),
      program,
      sameNamespace,
    });
    const allWell = rows.every((row) => isWell(row));
    const report = { ok: allWell, checks: rows };
    result(json ? indented(report) : shown(rows));
    if (!allWell) process.exitCode = EXIT.failed;
  },
});
