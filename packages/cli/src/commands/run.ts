import { type OwnedSocket, xsocketSync } from "@xsocket/client";
import type { ArgsDef } from "citty";
import { codeOf, libraryPath, loadSyscalls, reasonOf, tried } from "@xsocket/xbind-native";
import { controlSocket, SERVER_DEFAULT, serverSocket } from "../address.ts";
import { command, flag, many, option } from "../command.ts";
import { failedAt } from "../endpoint.ts";
import { FailureError, MisuseError } from "../errors.ts";
import { cookieOf, ownCookie } from "../namespace.ts";
import { sendPlan } from "../plan.ts";
import { portWords, typesOf } from "../ports.ts";
import { preloadWith } from "../preload.ts";
import { preloadObstacle } from "../preloadable.ts";
import { findProgram, spoken, startedBy } from "../program.ts";
import { result, words } from "../words.ts";

const args = {
  port: many(
    "PORT",
    'Port to open in the target namespace: 3000, 8000-8100, tcp/53, udp/53, 8080:3000 or "*"; may be repeated',
  ),
  all: flag("Open all ports there, the same as --port '*'"),
  socket: option("PATH", `Control socket of the server: a path, or @name (${SERVER_DEFAULT})`),
  check: flag("Ask the server for a socket first, and give up if it fails"),
  print: flag(
    "Print the environment that would be set, unquoted, for a unit or a compose file; run nothing",
  ),
  force: flag("Run the program even if it cannot be preloaded, since it may start others that can"),
} as const satisfies ArgsDef;

const CONNECT_MS = 500; // a running server accepts at once

/* A program may be started before its server, so this is a warning and no failure. */
function warnIfUnreachable(path: string): void {
  const sys = tried(loadSyscalls);
  if (!sys) return; // under a memory limit Bun may get none for compiled code, and the program is run all the same
  const connection = sys.handoverConnect(path, CONNECT_MS);
  if (connection >= 0) sys.close(connection);
  else words.warn(failedAt("reach", path, connection, "open the listed ports now").message);
}

/* A policy may allow TCP alone, and a port that names no protocol means both. TCP is asked for first. */
function askedFor(via: string, type: "stream" | "dgram", isLater: boolean): OwnedSocket {
  try {
    return xsocketSync({ via, type });
  } catch (error) {
    if (!isLater || codeOf(error) !== "EPERM") throw error;
    const remedy =
      "If the program needs only TCP, ask for that alone: --port tcp/3000, or 'tcp/*' for all.";
    throw new FailureError(`${reasonOf(error)} ${remedy}`, { cause: error });
  }
}

/* Fails, in the client's words, if the server gives no socket of a type that the ports need. */
function checkHandover(via: string, xbind: string): void {
  const same = typesOf(xbind).map((type, index) => {
    using socket = askedFor(via, type, index > 0);
    const its = cookieOf(socket.fd);
    return its !== undefined && its === ownCookie();
  });
  // an abstract name is of no other namespace
  if (same.some(Boolean) && !via.startsWith("@"))
    words.warn(
      `the server at ${via} hands out sockets of this network namespace itself: start it in the target namespace, unless the program enters its own later`,
    );
}

function refuseHopeless(name: string, rest: readonly string[]): void {
  const program = findProgram(name);
  const obstacle = program && preloadObstacle(program, libraryPath("xbind"), rest);
  if (obstacle)
    throw new FailureError(
      `${spoken(program)} would open no port there, since ${obstacle.found}: ${obstacle.remedy} (--force runs it anyway)`,
    );
  const [inner, ...its] = startedBy([name, ...rest]);
  if (inner !== undefined) refuseHopeless(inner, its);
}

/*
 * The variables without quotes, since every place where they are pasted has its own rules. Only an odd path of
 * the control socket would need any, and a line break cannot be quoted everywhere.
 */
function printed(environment: Readonly<Record<string, string>>): string {
  if (Object.values(environment).some((value) => /[\n\r]/.test(value)))
    throw new MisuseError(
      "the path of the control socket contains a line break, so it cannot be printed on one line: give another path, such as that of a link",
    );
  return Object.entries(environment)
    .map(([name, value]) => `${name}=${value}`)
    .join("\n");
}

function listed(ports: readonly string[], all: boolean): string {
  if (ports.length === 0 && !all)
    throw new MisuseError(
      "no port is given: name one to open there, as in --port 3000, or use --all",
    );
  return [...(ports.length > 0 ? portWords(ports) : []), ...(all ? ["*"] : [])].join(",");
}

export default command({
  meta: { description: "Run a program whose listed ports open in another namespace" },
  args,
  program: "-- PROGRAM [ARGUMENT...]",
  execute(given, { program, programIndex, planFd }) {
    const socket = given.socket === undefined ? undefined : controlSocket(given.socket);
    const set = {
      XBIND: listed(given.port, given.all),
      ...(socket === undefined ? {} : { XSOCKET: socket }),
      LD_PRELOAD: preloadWith(process.env["XSOCKET_RUN_PRELOAD"] ?? ""),
    };
    const inherited = process.env["XSOCKET"]; // where this is pasted it may not be inherited
    if (given.print) {
      if (given.check) checkHandover(serverSocket(given.socket, planFd), set.XBIND);
      return result(
        printed(inherited && !socket ? { ...set, XSOCKET: controlSocket(inherited) } : set),
      );
    }
    const [name, ...rest] = program;
    if (name === undefined)
      throw new MisuseError(
        'no program is given: put it last, after "--", or see "xsocket run --help"',
      );
    if (!given.force) refuseHopeless(name, rest);
    const server = serverSocket(given.socket, planFd);
    if (given.check) checkHandover(server, set.XBIND);
    else warnIfUnreachable(server);
    sendPlan(planFd, { programIndex, set });
  },
});
