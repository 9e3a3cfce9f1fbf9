import {
  AF_INET,
  AF_INET6,
  IPPROTO_MPTCP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPPROTO_UDPLITE,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOCK_SEQPACKET,
  SOCK_STREAM,
} from "@xsocket/protocol";
import { flagOf, misuse, wrongValue } from "./_options.ts";

/** The types of socket that have a name. */
export type SocketTypeName = "stream" | "dgram" | "raw" | "seqpacket";
/** The protocols that have a name. */
export type ProtocolName = "tcp" | "udp" | "mptcp" | "udplite";

/** Which socket to make, by name or by the numbers that socket(2) takes. */
export interface SocketKind {
  /** The IP version, 4 unless `domain` is given. */
  readonly family?: 4 | 6 | undefined;
  /** Instead of `family`: the number of an address family, for example 10 for AF_INET6. */
  readonly domain?: number | undefined;
  /** A name, or a SOCK_ number; "stream" by default. */
  readonly type?: SocketTypeName | number | undefined;
  /** A name, or an IPPROTO_ number; 0 by default, the usual one of the type. */
  readonly protocol?: ProtocolName | number | undefined;
  /** Whether the new descriptor has O_NONBLOCK. */
  readonly nonblocking?: boolean | undefined;
}

export const KIND_KEYS = ["family", "domain", "type", "protocol", "nonblocking"] as const;

/** The three numbers of socket(2); `type` holds SOCK_CLOEXEC, and SOCK_NONBLOCK if wished. */
export interface KindNumbers {
  readonly domain: number;
  readonly type: number;
  readonly protocol: number;
}

const TYPES: Record<SocketTypeName, number> = {
  stream: SOCK_STREAM,
  dgram: SOCK_DGRAM,
  raw: SOCK_RAW,
  seqpacket: SOCK_SEQPACKET,
};
const PROTOCOLS: Record<ProtocolName, number> = {
  tcp: IPPROTO_TCP,
  udp: IPPROTO_UDP,
  mptcp: IPPROTO_MPTCP,
  udplite: IPPROTO_UDPLITE,
};
const FAMILIES = new Map<unknown, number>([
  [4, AF_INET],
  [6, AF_INET6],
]);
const FAMILY_NAMES: Record<number, string> = { [AF_INET]: "an IPv4", [AF_INET6]: "an IPv6" };

function number(field: string, value: unknown, names: Record<string, number>): number {
  const result = typeof value === "string" ? names[value] : value;
  if (typeof result === "number" && Number.isInteger(result) && Math.abs(result) < 2 ** 31)
    return result;
  const allowed = ["a number of socket(2)", ...Object.keys(names)].join(", ");
  throw wrongValue("get a socket", field, value, `Give ${field} as ${allowed}.`);
}

function domainOf(kind: SocketKind): number {
  if (kind.domain === undefined) {
    const family = kind.family ?? 4;
    const domain = FAMILIES.get(family);
    if (domain !== undefined) return domain;
    throw wrongValue("get a socket", "family", family, "Give family 4 or 6, or domain.");
  }
  if (kind.family !== undefined)
    throw misuse("get a socket", "both family and domain are given", "Give one of them.");
  return number("domain", kind.domain, {});
}

/**
 * Turns names into the numbers that go to the server.
 *
 * @throws {XSocketError} EINVAL for a name or number that does not exist
 */
export function kindNumbers(kind: SocketKind): KindNumbers {
  const type = number("type", kind.type ?? "stream", TYPES);
  return {
    domain: domainOf(kind),
    type: type | SOCK_CLOEXEC | (flagOf("get a socket", kind, "nonblocking") ? SOCK_NONBLOCK : 0),
    protocol: number("protocol", kind.protocol ?? 0, PROTOCOLS),
  };
}

/** Names a kind for error messages: "get an IPv6 dgram socket". */
export function askedFor({ domain, type, protocol }: KindNumbers): string {
  const bare = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
  const typeName = Object.entries(TYPES).find(([, value]) => value === bare)?.[0] ?? `type ${bare}`;
  const suffix = protocol === 0 ? "" : ` of protocol ${protocol}`;
  return `get ${FAMILY_NAMES[domain] ?? `a domain ${domain}`} ${typeName} socket${suffix}`;
}
