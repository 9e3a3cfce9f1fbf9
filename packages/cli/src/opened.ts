import { type SocketKind, xsocketSync } from "@xsocket/client";
import { cookieOf, namespaceOf, ownCookie } from "./namespace.ts";

/** A socket of a server, and what is known about it. */
export interface Opened extends Disposable {
  readonly fd: number;
  readonly cookie: bigint | undefined;
  /** The cookie of the namespace of this process. */
  readonly own: bigint | undefined;
  /** For example "net:[4026532008] (vpn)"; undefined if this user is not told. */
  readonly namespace: string | undefined;
  /** What the handover took. */
  readonly milliseconds: number;
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
