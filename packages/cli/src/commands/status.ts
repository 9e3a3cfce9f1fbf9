import { XSocketError } from "@xsocket/client";
import { ProtocolError } from "@xsocket/protocol";
import type { ArgsDef } from "citty";
import { askStatus, escapeJson, type ServerStatus } from "@xsocket/server";
import { loadSyscalls, SyscallError } from "@xsocket/xbind-native";
import { SERVER_ARGUMENT, serverSocket } from "../address.ts";
import { command, flag } from "../command.ts";
import { writeOut } from "../output.ts";
import { statusText } from "../status-text.ts";
import { result, takesOrders } from "../words.ts";

const WAIT_MS = 5000;
const WATCH_MS = 1000; // between two looks
const CLEAR = "\u001B[H\u001B[J";

const args = {
  address: SERVER_ARGUMENT,
  json: flag("Print one JSON object"),
  watch: flag("Repeat every second until interrupted or the server ends"),
} as const satisfies ArgsDef;

/*
 * Runs what asks for the server's answer, or reads it. A failure becomes an error of the client library, which has
 * the words for it; the answer of a program that is no xsocket server may have any form.
 */
function understood<Found>(path: string, action: () => Found): Found {
  try {
    return action();
  } catch (error) {
    const failure = { server: path, asked: "get the server's status", cause: error } as const;
    if (error instanceof SyscallError)
      throw new XSocketError({
        ...failure,
        code: error.code,
        step: error.call === "connect" ? "reach" : "ask",
      });
    if ([ProtocolError, SyntaxError, TypeError].some((kind) => error instanceof kind))
      throw new XSocketError({
        ...failure,
        code: "EBADMSG",
        step: "ask",
        found: "the answer is malformed, or of another version than this command",
        remedy:
          "Restart the server if it is older, and check that an xsocket server, and nothing else, listens there.",
      });
    throw error;
  }
}

function ask(path: string): ServerStatus {
  return understood(path, () => askStatus(loadSyscalls(), path, WAIT_MS));
}

export default command({
  meta: { description: "Show the status of a running server" },
  args,
  async execute(given) {
    const { address, json } = given;
    const path = serverSocket(address);
    let status = ask(path);
    const show = (before?: ServerStatus) =>
      result(
        json
          ? escapeJson(JSON.stringify(status))
          : understood(path, () => statusText(status, before)),
      );
    show();
    while (given.watch) {
      await Bun.sleep(WATCH_MS);
      const before = status;
      status = ask(path);
      if (!json && takesOrders(process.stdout)) writeOut(CLEAR);
      show(before);
    }
  },
});
