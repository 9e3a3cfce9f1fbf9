import { readdirSync, fstatSync, statSync } from "node:fs";
import { join } from "node:path";
import { type SocketKind, xsocketSync } from "@xsocket/client";
import { loadSyscalls } from "@xsocket/xbind-native";
import { cookieOf, ownCookie } from "./namespace.ts";

/* Where ip-netns(8) keeps the namespaces that have a name. */
const NAMED = "/run/netns";

/** A socket of a server, and what is known about it. */
export interface Opened extends Disposable {
  readonly fd: number;
  readonly cookie: bigint;
  /** The cookie of the namespace of this process. */
  readonly own: bigint;
  /** For example "net:[4026532008] (vpn)"; undefined if this user is not told. */
  readonly namespace: string | undefined;
  /** What the handover took. */
  readonly milliseconds: number;
}

function nameOf(inode: bigint): string {
  try {
    const names = readdirSync(NAMED);
    const name = names.find(
      (entry) => statSync(join(NAMED, entry), { bigint: true }).ino === inode,
    );
    return name === undefined ? "" : ` (${name})`;
  } catch {
    return "";
  }
}

function namespaceOf(fd: number): string | undefined {
  const native = loadSyscalls();
  const namespaceFd = native.socketNamespace(fd);
  if (namespaceFd < 0) return undefined;
  try {
    const { ino } = fstatSync(namespaceFd, { bigint: true });
    return `net:[${ino}]${nameOf(ino)}`;
  } finally {
    native.close(namespaceFd);
  }
}

/**
 * Gets one socket and looks at it.
 *
 * @throws {XSocketError} if the server gives none
 */
export function openSocket(via: string, kind: SocketKind): Opened {
  const own = ownCookie(); // loads the library too, which is not the server's time
  const start = performance.now();
  const socket = xsocketSync({ ...kind, via });
  const milliseconds = performance.now() - start;
  return {
    fd: socket.fd,
    cookie: cookieOf(socket.fd),
    own,
    namespace: namespaceOf(socket.fd),
    milliseconds,
    [Symbol.dispose]: () => socket.close(),
  };
}
