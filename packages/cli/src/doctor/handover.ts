import { XSocketError, xsocketSync } from "@xsocket/client";
import { AF_INET6, SOCK_DGRAM } from "@xsocket/protocol";
import { askStatus } from "@xsocket/server";
import { errno, loadSyscalls, tried } from "@xsocket/xbind-native";
import { cookieOf, namespaceOf, ownCookie, ownNamespace } from "../namespace.ts";
import { failed, ok, type Row, skipped, warned } from "./row.ts";

const WAIT_MS = 2000;

/** The kinds of socket that are tried, each with the name of its row. */
export const KINDS = [
  { name: "tcp4", family: 4, type: "stream", title: "TCP over IPv4" },
  { name: "udp4", family: 4, type: "dgram", title: "UDP over IPv4" },
  { name: "tcp6", family: 6, type: "stream", title: "TCP over IPv6" },
  { name: "udp6", family: 6, type: "dgram", title: "UDP over IPv6" },
] as const;
export type Kind = (typeof KINDS)[number];

/** Splits a client's error into what was found and what to do. */
export function rowOfError(name: string, error: unknown): Row {
  if (!(error instanceof XSocketError)) throw error;
  const found = error.message.slice(0, -`. ${error.remedy}`.length);
  return failed(name, found, error.remedy);
}

/** Makes the row of a check that needs a socket of the server, which may not give one any more. */
export function askedRow(name: string, check: () => Row): Row {
  try {
    return check();
  } catch (error) {
    return rowOfError(name, error);
  }
}

/* A kernel without IPv6 has it in no namespace, so a server that gives none is no fault. */
function hasIpv6(): boolean {
  const native = loadSyscalls();
  const fd = native.socket(AF_INET6, SOCK_DGRAM, 0);
  if (fd >= 0) native.close(fd);
  return fd !== -errno.EAFNOSUPPORT;
}

/**
 * Does the server hand out sockets of each kind? Answers which it does, too.
 *
 * @param needed the types that are needed; if empty, all
 */
export function handoverRows(
  via: string,
  needed: readonly Kind["type"][],
): { rows: Row[]; given: Kind[] } {
  const given: Kind[] = [];
  let isSilent = false; // each further question would wait as long, for the same result
  const rows = KINDS.map((kind) => {
    const { name, family, type, title } = kind;
    if (isSilent) return skipped(name, "needs a server that answers");
    const start = performance.now();
    try {
      xsocketSync({ via, family, type, timeoutMs: WAIT_MS }).close();
      given.push(kind);
      return ok(name, `${title} in ${(performance.now() - start).toFixed(1)} ms`);
    } catch (error) {
      isSilent = error instanceof XSocketError && error.code === "ETIMEDOUT";
      if (!isSilent && needed.length > 0 && !needed.includes(type))
        return skipped(name, "no port that is named needs it");
      if (family === 6 && !hasIpv6()) return skipped(name, "needs IPv6, which this kernel lacks");
      return rowOfError(name, error);
    }
  });
  return { rows, given };
}

const SAME =
  "for another network, start the server in that namespace and run doctor where the program runs (ip netns exec NAME, nsenter); if one namespace is meant (a first try, VRFs, cgroups, fwmarks), add --same-namespace";

/**
 * Do the sockets belong to another namespace than this process?
 *
 * @param isMeant whether it may be the same one
 */
export function namespaceRow(via: string, { family, type }: Kind, isMeant: boolean): Row {
  const ownName = ownNamespace();
  if (ownName === undefined)
    return skipped("namespace", "needs network namespaces, which this kernel lacks");
  using socket = xsocketSync({ via, family, type, timeoutMs: WAIT_MS });
  const [its, own] = [cookieOf(socket.fd), ownCookie()];
  if (own === undefined)
    return skipped("namespace", "needs Linux 5.14, and a socket of this process's own to compare");
  const here = `${ownName}, cookie ${own}`;
  if (its !== own) {
    const name = namespaceOf(socket.fd) ?? "a namespace that this user is not allowed to inspect";
    const there = `${name}, cookie ${its}`;
    // the server gives it to root, its own user, and whom a rule allows
    const former = tried(() => askStatus(loadSyscalls(), via, WAIT_MS))?.formerNamespace;
    if (former !== undefined)
      return warned(
        "namespace",
        `the sockets are of ${there}, which is not the one named ${former} any more, since that was deleted`,
        "restart the server if you mean the one that now has the name",
      );
    return ok("namespace", `the sockets are of ${there}; this process is in ${here}`);
  }
  const same = `the sockets are of ${here}, and so is this process`;
  if (isMeant) return ok("namespace", same);
  if (via.startsWith("@"))
    return ok(
      "namespace",
      `${same}, as with every abstract name: right for VRFs, cgroups and fwmarks`,
    );
  return warned("namespace", same, SAME);
}
