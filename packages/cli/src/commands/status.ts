import type { ArgsDef } from "citty";
import { askStatus, type ServerStatus } from "@xsocket/server";
import { loadSyscalls, SyscallError } from "@xsocket/xbind-native";
import { SERVER_DEFAULT, serverSocket } from "../address.ts";
import { command } from "../command.ts";
import { FailureError } from "../errors.ts";
import { writeOut } from "../output.ts";
import { statusText } from "../status-text.ts";
import { result } from "../words.ts";

const WAIT_MS = 5000;
const WATCH_MS = 1000; // between two looks
const CLEAR = "\u001B[H\u001B[J";

const args = {
  address: {
    type: "positional",
    required: false,
    valueHint: "PATH|@NAME",
    description: `The control socket of the server (${SERVER_DEFAULT})`,
  },
  json: { type: "boolean", description: "As one JSON object, for programs" },
  watch: { type: "boolean", description: "Again each second until interrupted" },
} as const satisfies ArgsDef;

const REMEDIES: Record<string, string> = {
  ENOENT: "there is no such socket: start a server there, or name another one's",
  ECONNREFUSED: "no server listens there: start one, or name another one's",
  EACCES: "this user may not connect: see the permissions of the socket and its directories",
  "EACCES @": "the server of that name is neither root's nor this user's (see XSOCKET_ANY_SERVER)",
  ETIMEDOUT: "the server does not answer: look into its log",
};

function ask(path: string): ServerStatus {
  try {
    return askStatus(loadSyscalls(), path, WAIT_MS);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    const named = path.startsWith("@") ? REMEDIES[`${error.code} @`] : undefined; // it has no permissions
    const remedy = named ?? REMEDIES[error.code] ?? `${error.call} gives ${error.code}`;
    throw new FailureError(`cannot ask the server at ${path} for its status: ${remedy}`, {
      cause: error,
    });
  }
}

function show(status: ServerStatus, before: ServerStatus | undefined, json: boolean): void {
  result(json ? JSON.stringify(status) : statusText(status, before));
}

export default command({
  meta: { name: "status", description: "Ask a running server how it does" },
  args,
  async run({ args: given }) {
    const path = serverSocket(given.address);
    const json = given.json === true;
    let status = ask(path);
    show(status, undefined, json);
    while (given.watch === true) {
      await Bun.sleep(WATCH_MS);
      const before = status;
      status = ask(path);
      if (!json && process.stdout.isTTY) writeOut(CLEAR);
      show(status, before, json);
    }
  },
});
