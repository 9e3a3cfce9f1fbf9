import { libraryPath, loadSyscalls, tried } from "@xsocket/xbind-native";
import { unusable } from "../preloadable.ts";
import { askedRow, handoverRows, KINDS, namespaceRow } from "./handover.ts";
import { librariesRow, programRow } from "./local.ts";
import { PORT_NAMES, portRows } from "./port.ts";
import { permissionRow, serverRow, socketRow } from "./reach.ts";
import { type Row, skipped } from "./row.ts";

/** What to examine. */
interface Setup {
  /** The control socket, a path or `@name`. */
  readonly socket: string;
  readonly ports: readonly {
    readonly port: number;
    readonly types: readonly ("stream" | "dgram")[];
  }[];
  /** A program and its arguments; empty when there is none. */
  readonly program: readonly string[];
  /** Whether server and program are meant to be in one namespace. */
  readonly sameNamespace: boolean;
}

/* The rows up to whether a server can be asked at all. */
function reachRows(socket: string): Row[] {
  const found = [socketRow(socket), permissionRow(socket)];
  if (found.some((row) => row.status !== "ok"))
    return [...found, skipped("server", "needs a socket that may be opened")];
  return [...found, serverRow(socket)];
}

function unasked(setup: Setup, why: string): Row[] {
  const kinds = KINDS.map(({ name }) => name);
  const names = [...kinds, "namespace", ...(setup.ports.length > 0 ? PORT_NAMES : [])];
  return names.map((name) => skipped(name, why));
}

function serverRows({ socket, ports, sameNamespace }: Setup): Row[] {
  const needed = ports.flatMap(({ types }) => types);
  const { rows, given } = handoverRows(socket, needed);
  const [kind] = given;
  const namespace =
    kind === undefined
      ? skipped("namespace", "needs a socket of the server")
      : askedRow("namespace", () => namespaceRow(socket, kind, sameNamespace));
  return [
    ...rows,
    namespace,
    ...ports.flatMap(({ port, types }) => portRows(socket, port, types, given)),
  ];
}

/** Makes all checks, what is here first, then what lies beyond the control socket. */
export function examine(setup: Setup): Row[] {
  // one that was cut off would end this process; first, so that what this cannot have, that row lacks as well
  const isLoaded = tried(() => !unusable(libraryPath("xsocket")) && loadSyscalls());
  const libraries = librariesRow();
  const [first, ...words] = setup.program;
  const program = first === undefined ? [] : [programRow(first, words, libraries)];
  if (!isLoaded) {
    const why = "needs libxsocket.so";
    const rest = ["socket", "permission", "server"].map((name) => skipped(name, why));
    return [libraries, ...program, ...rest, ...unasked(setup, why)];
  }
  const reach = reachRows(setup.socket);
  const isThere = reach.every((row) => row.status === "ok");
  const beyond = isThere ? serverRows(setup) : unasked(setup, "needs a server");
  return [libraries, ...program, ...reach, ...beyond];
}
