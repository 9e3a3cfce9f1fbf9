/*
 * Whose certificate a peer must have. Bun sends the name of the host that a socket was connected to (SNI), and checks
 * the certificate against it. From a descriptor it cannot know that name, and would take "localhost".
 */
import type { Socket, TLSOptions, TLSUpgradeOptions } from "bun";
import { withoutBrackets } from "./_address.ts";
import { describe } from "./_bun.ts";
import { allOf } from "./_options.ts";

/** The host that TLS options name, in Bun's way or else in Node's. */
export function namedIn<Name>(tls: {
  readonly serverName?: Name;
  readonly servername?: Name;
}): Name | undefined {
  return tls.serverName === undefined ? tls.servername : tls.serverName;
}

/** TLS options that name the host, unless they name another one. What is no object is Bun's to refuse. */
export function tlsFor(tls: TLSOptions | boolean, hostname: string): TLSOptions | boolean {
  if (tls !== true && (typeof tls !== "object" || tls === null || Array.isArray(tls))) return tls;
  const given: TLSOptions & { readonly servername?: string } = tls === true ? {} : allOf(tls);
  return { ...given, serverName: namedIn(given) || withoutBrackets(hostname) };
}

/* Has upgradeTLS() name the host as well. */
function nameForUpgrade(socket: Socket<unknown>, hostname: string): void {
  const upgrade = socket.upgradeTLS.bind(socket);
  const upgradeTLS = <Data>(given: TLSUpgradeOptions<Data>): [Socket<Data>, Socket<Data>] => {
    // what may stand for `tls` is not in Bun's types
    const options: TLSUpgradeOptions<Data> & { secureContext?: unknown } = allOf(given);
    const { tls, secureContext } = options;
    const isNone = tls !== true && Object.values(allOf(tls)).every((value) => value === undefined);
    if (isNone && secureContext === undefined) return upgrade(given); // Bun refuses none
    return upgrade<Data>({ ...options, tls: tlsFor(tls ?? true, hostname) });
  };
  describe(socket, { upgradeTLS });
}

/** An open handler that first names the host for upgradeTLS(). What is no function is Bun's to refuse. */
export function openFor(open: unknown, hostname: string): unknown {
  const own = open ?? (() => {});
  if (typeof own !== "function") return open;
  return (socket: Socket<unknown>): unknown => {
    nameForUpgrade(socket, hostname);
    return Reflect.apply(own, socket, [socket]);
  };
}
