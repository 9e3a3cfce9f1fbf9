import { ProtocolError } from "@xsocket/protocol";
import type { ArgsDef } from "citty";
import { askStatus, escapeJson, type ServerStatus } from "@xsocket/server";
import { loadSyscalls, SyscallError } from "@xsocket/xbind-native";
import { NO_UNIX_SOCKETS, reachCode, SERVER_ARGUMENT, serverSocket } from "../address.ts";
import { command } from "../command.ts";
import { FailureError } from "../errors.ts";
import { writeOut } from "../output.ts";
import { statusText } from "../status-text.ts";
import { result } from "../words.ts";

const WAIT_MS = 5000;
const WATCH_MS = 1000; // between two looks
const CLEAR = "\u001B[H\u001B[J";

const args = {
  address: SERVER_ARGUMENT,
  json: { type: "boolean", description: "As one JSON object, for programs" },
  watch: { type: "boolean", description: "Again each second until interrupted" },
} as const satisfies ArgsDef;

const REMEDIES: Record<string, string> = {
  ENOENT: "there is no such socket: start a server there, or name another one's",
  ECONNREFUSED: "no server listens there: start one, or name another one's",
  "ECONNREFUSED @":
    "nobody holds this abstract name in this network namespace: ask in that of the server, or start one here",
  ENOTSOCK: "what is there is no socket: name the control socket of a server",
  EACCES: "this user may not connect: see the permissions of the socket and its directories",
  "EACCES @": "the server of that name is neither root's nor this user's (see XSOCKET_ANY_SERVER)",
  EAFNOSUPPORT: NO_UNIX_SOCKETS,
  EPROTOTYPE: "another program's socket lies there: name the control socket of a server",
  EMFILE:
    "this user has as many connections to it as it may have: close some, or start the server with a larger --max-connections-per-user",
  ENFILE:
    "the server has as many connections as it may have: try again later, or start it with a larger --max-connections",
  ETIMEDOUT: "the server does not answer: look into its log",
  ECONNRESET: "the server has ended meanwhile: ask again once it runs",
};

/* Why there was no status, and what to do; undefined for an error that says so itself. */
function reason(path: string, error: unknown): string | undefined {
  if (error instanceof SyscallError) {
    const named = path.startsWith("@") ? REMEDIES[`${error.code} @`] : undefined; // it is no file
    return named ?? REMEDIES[reachCode(path, error.code)] ?? `${error.call} gives ${error.code}`;
  }
  if ([ProtocolError, SyntaxError, TypeError].some((kind) => error instanceof kind))
    return "the answer is malformed: see that an xsocket server, and nothing else, listens there";
  return undefined;
}

/* Makes something of the server's answer, which need not be what our servers give. */
function understood<Found>(path: string, action: () => Found): Found {
  try {
    return action();
  } catch (error) {
    const found = reason(path, error);
    if (found === undefined) throw error;
    throw new FailureError(`cannot ask the server at ${path} for its status: ${found}`, {
      cause: error,
    });
  }
}

function ask(path: string): ServerStatus {
  return understood(path, () => askStatus(loadSyscalls(), path, WAIT_MS));
}

export default command({
  meta: { name: "status", description: "Ask a running server how it does" },
  args,
  async run({ args: given }) {
    const path = serverSocket(given.address);
    const json = given.json === true;
    let status = ask(path);
    const show = (before?: ServerStatus) =>
      result(
        json
          ? escapeJson(JSON.stringify(status))
          : understood(path, () => statusText(status, before)),
      );
    show();
    while (given.watch === true) {
      await Bun.sleep(WATCH_MS);
      const before = status;
      status = ask(path);
      if (!json && process.stdout.isTTY) writeOut(CLEAR);
      show(before);
    }
  },
});
