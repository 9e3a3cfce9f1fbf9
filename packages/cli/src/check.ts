import { xsocketSync } from "@xsocket/client";
import { cookieOf, ownCookie } from "./namespace.ts";
import { typesOf } from "./ports.ts";
import { words } from "./words.ts";

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
