import { xsocketSync } from "@xsocket/client";
import { cookieOf, ownCookie } from "./namespace.ts";
import { words } from "./words.ts";

/** The types of socket that the ports of an XBIND are for. */
export function typesOf(xbind: string): ("stream" | "dgram")[] {
  const listed = xbind.split(/[\s,]+/);
  const types: ("stream" | "dgram")[] = [];
  if (listed.some((word) => !word.startsWith("udp/"))) types.push("stream");
  if (listed.some((word) => !word.startsWith("tcp/"))) types.push("dgram");
  return types;
}

/**
 * Asks a server for a socket of each type that the ports need.
 *
 * @throws {XSocketError} if it gives none
 */
export function checkHandover(server: string, xbind: string): void {
  const same = typesOf(xbind).map((type) => {
    using socket = xsocketSync({ via: server, type });
    const its = cookieOf(socket.fd);
    return its !== undefined && its === ownCookie();
  });
  if (same.some(Boolean))
    words.warn(
      `the server at ${server} hands out sockets of this very network namespace: start it in the target namespace, unless the program enters its own later`,
    );
}
