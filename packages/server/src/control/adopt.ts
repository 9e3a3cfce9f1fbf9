import { AF_UNIX, SOCK_SEQPACKET, SUN_PATH_BYTES } from "@xsocket/protocol";
import {
  errnoName,
  SO_ACCEPTCONN,
  SO_DOMAIN,
  SO_TYPE,
  SOL_SOCKET,
  type Syscalls,
  tried,
} from "@xsocket/xbind-native";
import { ServeError } from "../error.ts";
import { type Claim, releasePath } from "./claim.ts";
import { fileAt, type SocketFile } from "./socket-file.ts";

const FAMILY_BYTES = 2;

function option(sys: Syscalls, fd: number, name: number): number {
  const value = new Int32Array(new ArrayBuffer(4));
  const rc = sys.getsockopt(fd, SOL_SOCKET, name, value, 4);
  if (rc < 0)
    throw new ServeError(
      "LISTEN_FD",
      `descriptor ${fd} was given to serve and is not a socket (${errnoName(-rc)}): check who starts this server`,
    );
  return value[0] ?? 0;
}

function addressOf(sys: Syscalls, fd: number): string {
  const bytes = new Uint8Array(new ArrayBuffer(FAMILY_BYTES + SUN_PATH_BYTES));
  const length = sys.getsockname(fd, bytes, bytes.byteLength);
  const isName = length > FAMILY_BYTES && bytes[FAMILY_BYTES] === 0;
  const name = bytes.subarray(FAMILY_BYTES + Number(isName), Math.max(FAMILY_BYTES, length));
  const text = new TextDecoder().decode(name);
  return isName ? `@${text}` : text.replace(/\0.*$/s, "");
}

/* Undefined for a file that cannot be seen from here, such as one made in another mount namespace. */
function fileOf(path: string): SocketFile | undefined {
  return path.startsWith("/") ? tried(() => fileAt(path)) : undefined;
}

/**
 * Takes a listening socket that another process made, such as systemd. Its file is left to that one, unless
 * this server made it before it became another user.
 *
 * @throws {ServeError} LISTEN_FD for anything but a listening SOCK_SEQPACKET socket
 */
export function adoptListener(
  sys: Syscalls,
  fd: number,
  ownsFile: boolean,
  backlog: number,
): Claim {
  const isRight =
    option(sys, fd, SO_DOMAIN) === AF_UNIX &&
    option(sys, fd, SO_TYPE) === SOCK_SEQPACKET &&
    option(sys, fd, SO_ACCEPTCONN) === 1;
  if (!isRight)
    throw new ServeError(
      "LISTEN_FD",
      `descriptor ${fd} was given to serve and is not a listening UNIX socket of type SOCK_SEQPACKET: use ListenSequentialPacket= in the socket unit`,
    );
  sys.adopt(fd);
  const address = addressOf(sys, fd);
  const file = fileOf(address);
  // else its peers are told the user that this server was before; those of an abstract name trust root
  if (ownsFile && !address.startsWith("@")) sys.listen(fd, backlog);
  const release = async () => {
    // a file that this user may not remove stays, and the next start replaces it
    if (ownsFile && file) await releasePath(sys, file).catch(() => {});
  };
  return { listenFd: fd, address, file, release };
}
