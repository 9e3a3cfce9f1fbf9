import { XSocketError, xsocketSync } from "@xsocket/client";
import { cookieOf, ownCookie } from "../namespace.ts";
import { failed, ok, type Row } from "./row.ts";

const WAIT_MS = 2000;

/** The kinds of socket that are tried, by the name of their row. */
export const KINDS = {
  tcp4: { family: 4, type: "stream", title: "TCP over IPv4" },
  udp4: { family: 4, type: "dgram", title: "UDP over IPv4" },
  tcp6: { family: 6, type: "stream", title: "TCP over IPv6" },
  udp6: { family: 6, type: "dgram", title: "UDP over IPv6" },
} as const;
export type KindName = keyof typeof KINDS;

/** Splits a client's error into what was found and what to do. */
export function rowOfError(name: string, error: unknown): Row {
  if (!(error instanceof XSocketError)) throw error;
  const found = error.message.replace(` ${error.remedy}`, "").replace(/\.$/, "");
  return failed(name, found, error.remedy);
}

/** Does the server hand out a socket of this kind? */
export function handoverRow(via: string, name: KindName): Row {
  const { family, type, title } = KINDS[name];
  const start = performance.now();
  try {
    xsocketSync({ via, family, type, timeoutMs: WAIT_MS }).close();
    return ok(name, `${title} in ${(performance.now() - start).toFixed(1)} ms`);
  } catch (error) {
    return rowOfError(name, error);
  }
}

const SAME =
  "start the server in the target namespace, and the program in its own: ip netns exec NAME, nsenter, or NetworkNamespacePath= of the unit";

/** Do the sockets belong to another namespace than this process? */
export function namespaceRow(via: string, kind: KindName): Row {
  const { family, type } = KINDS[kind];
  using socket = xsocketSync({ via, family, type, timeoutMs: WAIT_MS });
  const [its, own] = [cookieOf(socket.fd), ownCookie()];
  if (its !== own)
    return ok("namespace", `the sockets are of namespace ${its}, this process is in ${own}`);
  if (via.startsWith("@"))
    return ok(
      "namespace",
      "this namespace too, as with every abstract name: right for VRFs, cgroups and fwmarks",
    );
  return failed(
    "namespace",
    `the sockets are of namespace ${its}, where this process is already`,
    SAME,
  );
}
