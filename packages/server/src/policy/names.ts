import {
  AF_INET,
  AF_INET6,
  AF_NETLINK,
  AF_PACKET,
  AF_UNIX,
  IPPROTO_MPTCP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPPROTO_UDPLITE,
  SOCK_DGRAM,
  SOCK_RAW,
  SOCK_SEQPACKET,
  SOCK_STREAM,
  SOCK_TYPE_MASK,
} from "@xsocket/protocol";

/** The legacy type that socket(2) turns into AF_PACKET: packet(7). */
export const SOCK_PACKET = 10;
export const SOCK_DCCP = 6;
export const IPPROTO_ICMP = 1;
export const IPPROTO_DCCP = 33;
export const IPPROTO_ICMPV6 = 58;
export const IPPROTO_SCTP = 132;
export const AF_SMC = 43;
export const IPPROTO_SMC = 256;

/** One of the three numbers of socket(2) and the names that the manual pages give its values. */
export interface Names {
  /** What stands before each name, and may be left out of a rule. */
  readonly prefix: string;
  readonly values: ReadonlyMap<string, number>;
  /** The largest number that can be asked for. */
  readonly most: number;
  /** Words that are refused, since they are written for the value of this name. */
  readonly mistaken?: ReadonlyMap<string, string>;
}

/** The families of address_families(7) that a rule may name. */
export const FAMILIES: Names = {
  prefix: "AF_",
  values: new Map([
    ["UNIX", AF_UNIX],
    ["INET", AF_INET],
    ["INET6", AF_INET6],
    ["NETLINK", AF_NETLINK],
    ["PACKET", AF_PACKET],
    ["KEY", 15],
    ["RDS", 21],
    ["CAN", 29],
    ["TIPC", 30],
    ["BLUETOOTH", 31],
    ["ALG", 38],
    ["VSOCK", 40],
    ["QIPCRTR", 42],
    ["SMC", AF_SMC],
    ["XDP", 44],
    ["MCTP", 45],
  ]),
  most: Infinity,
  /* As --family of "xsocket open" and the SDK have them. The families 4 and 6 are others, and ipv6 is a protocol: a
     rule about these would let IPv6 pass. */
  mistaken: new Map([
    ["4", "AF_INET"],
    ["6", "AF_INET6"],
    ["IPV4", "AF_INET"],
    ["IPV6", "AF_INET6"],
  ]),
};

/** The types of socket(2). */
export const TYPES: Names = {
  prefix: "SOCK_",
  values: new Map([
    ["STREAM", SOCK_STREAM],
    ["DGRAM", SOCK_DGRAM],
    ["RAW", SOCK_RAW],
    ["RDM", 4],
    ["SEQPACKET", SOCK_SEQPACKET],
    ["DCCP", SOCK_DCCP],
    ["PACKET", SOCK_PACKET],
  ]),
  most: SOCK_TYPE_MASK, // the bits above it are flags
};

/** The protocols of ip(7) and protocols(5) that somebody may ask a socket for. */
export const PROTOCOLS: Names = {
  prefix: "IPPROTO_",
  values: new Map([
    ["ICMP", IPPROTO_ICMP],
    ["IGMP", 2],
    ["IPIP", 4],
    ["TCP", IPPROTO_TCP],
    ["UDP", IPPROTO_UDP],
    ["DCCP", IPPROTO_DCCP],
    ["IPV6", 41],
    ["RSVP", 46],
    ["GRE", 47],
    ["ESP", 50],
    ["AH", 51],
    ["ICMPV6", IPPROTO_ICMPV6],
    ["OSPF", 89],
    ["PIM", 103],
    ["L2TP", 115],
    ["VRRP", 112],
    ["SCTP", IPPROTO_SCTP],
    ["UDPLITE", IPPROTO_UDPLITE],
    ["RAW", 255],
    ["SMC", IPPROTO_SMC],
    ["MPTCP", IPPROTO_MPTCP],
  ]),
  most: Infinity,
};

/** Finds the number behind a name, with or without its prefix and in any case; a number stands for itself. */
export function numberOf(names: Names, word: string): number | undefined {
  const { prefix, values, most } = names;
  if (meantBy(names, word) !== undefined) return undefined;
  if (/^\d{1,9}$/.test(word)) return Number(word) <= most ? Number(word) : undefined;
  const key = keyFor(word);
  return values.get(key.startsWith(prefix) ? key.slice(prefix.length) : key);
}

/** The name of what a word was written for that {@link numberOf} therefore refuses. */
export function meantBy({ mistaken }: Names, word: string): string | undefined {
  return mistaken?.get(keyFor(word));
}

/* A word as the maps have it: in upper case, without hyphens and leading zeros. */
function keyFor(word: string): string {
  return word
    .toUpperCase()
    .replaceAll("-", "")
    .replace(/^0+(?=\d)/, "");
}

/** Which of the three a word names, for one that was given as another, as in type = "tcp". */
export function keyOf(word: string): "family" | "type" | "protocol" | undefined {
  if (!/\D/.test(word)) return undefined;
  const is = (names: Names) => numberOf(names, word) !== undefined;
  if (is(FAMILIES)) return "family";
  if (is(TYPES)) return "type";
  return is(PROTOCOLS) ? "protocol" : undefined;
}

/** Says what {@link numberOf} takes, for a word that it does not. */
export function knownOf({ prefix, values, most }: Names): string {
  const names = [...values.keys()].map((name) => prefix + name).join(", ");
  return `there are ${names}, and numbers${most < Infinity ? ` up to ${most}` : ""}`;
}

/** Writes a number by its name, so that a log reads like the manual page; unknown ones stay numbers. */
export function nameOf(names: Names, value: number): string {
  for (const [name, number] of names.values) if (number === value) return names.prefix + name;
  return String(value);
}
