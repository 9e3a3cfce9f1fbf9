import { handoverRow, type KindName, namespaceRow } from "./handover.ts";
import { isUsable, librariesRow, programRow } from "./local.ts";
import { portRows } from "./port.ts";
import { permissionRow, serverRow, socketRow } from "./reach.ts";
import { isFailed, type Row, skipped } from "./row.ts";

/** What is to be looked at. */
export interface Patient {
  /** The control socket, a path or `@name`. */
  readonly socket: string;
  readonly ports: readonly {
    readonly port: number;
    readonly types: readonly ("stream" | "dgram")[];
  }[];
  readonly program: string | undefined;
  /** Whether server and program are meant to be in one namespace. */
  readonly sameNamespace: boolean;
}

const NAMES: readonly KindName[] = ["tcp4", "udp4", "tcp6", "udp6"];
const PORT_NAMES = ["port-free", "port-privilege", "port-firewall"];

/* The rows up to the one that says whether a server can be asked at all. */
function reachRows(socket: string): Row[] {
  const found = [socketRow(socket), permissionRow(socket)];
  if (found.some((row) => row.status !== "ok"))
    return [...found, skipped("server", "needs a socket that may be opened")];
  return [...found, serverRow(socket)];
}

function handoverRows({ socket, sameNamespace }: Patient): Row[] {
  const rows = NAMES.map((name) => handoverRow(socket, name));
  const given = NAMES.find((name) => rows.some((row) => row.name === name && !isFailed(row)));
  const namespace = given
    ? namespaceRow(socket, given, sameNamespace)
    : skipped("namespace", "needs a socket of the server");
  return [...rows, namespace];
}

function unasked(patient: Patient, why: string): Row[] {
  const names = [...NAMES, "namespace", ...(patient.ports.length > 0 ? PORT_NAMES : [])];
  return names.map((name) => skipped(name, why));
}

function serverRows(patient: Patient): Row[] {
  const { socket, ports } = patient;
  return [
    ...handoverRows(patient),
    ...ports.flatMap(({ port, types }) => portRows(socket, port, types)),
  ];
}

function rowsBeyond(patient: Patient): Row[] {
  const reach = reachRows(patient.socket);
  const isThere = reach.every((row) => row.status === "ok");
  return [...reach, ...(isThere ? serverRows(patient) : unasked(patient, "needs a server"))];
}

/** Makes all checks, what is here first, then what lies beyond the control socket. */
export function examine(patient: Patient): Row[] {
  const libraries = librariesRow();
  if (!isUsable()) {
    const why = "needs libxsocket.so";
    const rest = ["socket", "permission", "server"].map((name) => skipped(name, why));
    return [libraries, ...rest, ...unasked(patient, why)];
  }
  const program = patient.program === undefined ? [] : [programRow(patient.program)];
  return [libraries, ...program, ...rowsBeyond(patient)];
}
