import { readFileSync } from "node:fs";
import {
  POLLIN,
  SO_PEERCRED,
  SO_PEERPIDFD,
  SOL_SOCKET,
  type Syscalls,
} from "@xsocket/xbind-native";
import { escapeText } from "./_escape.ts";

function readComm(pid: number): string {
  try {
    return escapeText(readFileSync(`/proc/${pid}/comm`, "utf8").replace(/\n$/, ""));
  } catch {
    return "?";
  }
}

/**
 * The command name of the process at the other end of a connection; "?" if unknown. A PID may have been reused, so
 * the name counts only while that process itself is alive.
 */
export function commandOf(sys: Syscalls, connection: number, pid: number): string {
  const pidfd = new Int32Array(new ArrayBuffer(4));
  if (sys.getsockopt(connection, SOL_SOCKET, SO_PEERPIDFD, pidfd, 4) < 0) return "?";
  const name = readComm(pid);
  const isOver = sys.poll(pidfd[0] ?? -1, POLLIN, 0) !== 0;
  sys.close(pidfd[0] ?? -1);
  return isOver ? "?" : name;
}

/**
 * The process that listens at the other end of a connection: pid 0 if it cannot be seen from here, or there is none.
 * Its command name goes into messages that say the PID, too, and needs no pidfd, which there is since Linux 6.5 only.
 */
export function listenerOf(sys: Syscalls, connection: number) {
  const credentials = new Uint32Array(new ArrayBuffer(12));
  sys.getsockopt(connection, SOL_SOCKET, SO_PEERCRED, credentials, credentials.byteLength);
  const [pid = 0, uid = 0] = credentials;
  return { pid, uid, command: readComm(pid) };
}
