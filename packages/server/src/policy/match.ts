import {
  AF_INET,
  AF_INET6,
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
import { holdsAny, holdsId, NOBODY } from "./ids.ts";
import {
  AF_SMC,
  IPPROTO_DCCP,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_SCTP,
  IPPROTO_SMC,
  SOCK_DCCP,
  SOCK_PACKET,
} from "./names.ts";
import type { Policy, Rule } from "./rule.ts";

/** Who asks, as the kernel recorded it at connect. */
export interface Asker {
  readonly uid: number;
  readonly gid: number;
  /** The supplementary groups, ascending, undefined if they cannot be told; asked for only when a rule names groups. */
  groups(): ArrayLike<number> | undefined;
  /** Whether some ids are unmapped here (user_namespaces(7)), so that NOBODY may be any of them. */
  readonly hasUnmappedIds?: boolean;
}

/** The arguments of socket(2). */
interface Wanted {
  readonly domain: number;
  readonly type: number;
  readonly protocol: number;
}

/** What is asked for. */
export type Asked = (Wanted & { readonly kind: "socket" }) | { readonly kind: "status" };

/** What of a rule does not fit; the words are for people. */
export type Mismatch = "kind" | "user" | "group" | "family" | "type" | "protocol";

/* What protocol 0 means for each type, with IPv4 and IPv6. */
const MEANT = new Map<number, number>([
  [SOCK_STREAM, IPPROTO_TCP],
  [SOCK_DGRAM, IPPROTO_UDP],
  [SOCK_SEQPACKET, IPPROTO_SCTP],
  [SOCK_DCCP, IPPROTO_DCCP],
]);

/* The protocols of IPv4 and IPv6 that have one type, beside SOCK_RAW; others may have several, or no other. */
const ONLY_TYPE = new Map<number, number>([
  [IPPROTO_TCP, SOCK_STREAM],
  [IPPROTO_MPTCP, SOCK_STREAM],
  [IPPROTO_SMC, SOCK_STREAM],
  [IPPROTO_UDP, SOCK_DGRAM],
  [IPPROTO_UDPLITE, SOCK_DGRAM],
  [IPPROTO_ICMP, SOCK_DGRAM],
  [IPPROTO_ICMPV6, SOCK_DGRAM],
  [IPPROTO_DCCP, SOCK_DCCP],
]);

/** Whether a family is IPv4 or IPv6. */
export function isInet(domain: number): boolean {
  return domain === AF_INET || domain === AF_INET6;
}

/** The type of the sockets of a protocol, unless they are raw; undefined if they may have another. */
export function typeOfProtocol(domain: number, protocol: number): number | undefined {
  return isInet(domain) ? ONLY_TYPE.get(protocol) : undefined;
}

/** Whether a type without flags is one of the two that are ordinary. */
export function isStreamOrDatagram(type: number): boolean {
  return type === SOCK_STREAM || type === SOCK_DGRAM;
}

function isOrdinaryProtocol(protocol: number): boolean {
  return (
    protocol === IPPROTO_TCP ||
    protocol === IPPROTO_UDP ||
    protocol === IPPROTO_MPTCP ||
    protocol === IPPROTO_UDPLITE
  );
}

/**
 * Brings what is asked for into one form, since else a rule against UDP would let protocol 0 pass: without
 * flags, with the protocol that 0 means, AF_PACKET for the old SOCK_PACKET, only those 16 bits of a packet
 * socket's protocol that count, and SOCK_DGRAM for a raw UNIX socket, which is just that.
 */
export function canonical({ domain, type, protocol }: Wanted): Wanted {
  const base = type & SOCK_TYPE_MASK;
  if (domain === AF_PACKET || (domain === AF_INET && base === SOCK_PACKET))
    return { domain: AF_PACKET, type: base, protocol: protocol & 0xffff };
  if (domain === AF_UNIX && base === SOCK_RAW) return { domain, type: SOCK_DGRAM, protocol };
  if (protocol !== 0 || !isInet(domain)) return { domain, type: base, protocol };
  return { domain, type: base, protocol: MEANT.get(base) ?? 0 };
}

/* 0 in a rule, too, means the protocol that the kernel takes it for. */
function namesProtocol(protocols: readonly number[], { domain, type, protocol }: Wanted): boolean {
  if (protocols.includes(protocol)) return true;
  return isInet(domain) && MEANT.get(type) === protocol && protocols.includes(0);
}

/* Where a peer has no MPTCP, or no SMC, such a socket speaks TCP to it. */
function maySpeakTcp({ domain, type, protocol }: Wanted): boolean {
  const isOther = domain === AF_SMC || protocol === IPPROTO_SMC || protocol === IPPROTO_MPTCP;
  return isOther && type === SOCK_STREAM;
}

/* A rule against TCP is against what may speak it as well. */
function hasProtocol(rule: Rule, protocols: readonly number[], wanted: Wanted): boolean {
  if (namesProtocol(protocols, wanted)) return true;
  if (rule.allow || !maySpeakTcp(wanted)) return false;
  return namesProtocol(protocols, { ...wanted, domain: AF_INET, protocol: IPPROTO_TCP });
}

/* A rule that allows means ordinary sockets where it names nothing: raw, packet and netlink sockets
   are only for rules that name them. A rule that denies means all there is. */
function socketMismatch(rule: Rule, wanted: Wanted): Mismatch | undefined {
  const { families, types, protocols } = rule;
  const inet = isInet(wanted.domain);
  if (families ? !families.includes(wanted.domain) : rule.allow && !inet) return "family";
  const plain = isStreamOrDatagram(wanted.type);
  if (types ? !types.includes(wanted.type) : rule.allow && inet && !plain) return "type";
  if (protocols) return hasProtocol(rule, protocols, wanted) ? undefined : "protocol";
  if (rule.allow && inet && plain && !isOrdinaryProtocol(wanted.protocol)) return "protocol";
  return undefined;
}

/* The id that no rule can allow: NOBODY, where it may stand for any unmapped user. */
function unmappedId(rule: Rule, asker: Asker): number | undefined {
  return rule.allow && asker.hasUnmappedIds === true ? NOBODY : undefined;
}

/* A client whose groups are unknown counts as a member in rules that deny, and as none in rules that allow. */
function inGroups(rule: Rule, asker: Asker): boolean {
  const { gids } = rule;
  if (!gids) return true;
  const except = unmappedId(rule, asker);
  if (holdsId(gids, asker.gid, except)) return true;
  const groups = asker.groups();
  return groups ? holdsAny(gids, groups, except) : !rule.allow;
}

/** Says what keeps a rule from deciding, or undefined if it decides. */
export function mismatch(rule: Rule, asker: Asker, asked: Asked): Mismatch | undefined {
  if (rule.kind !== asked.kind) return "kind";
  if (asked.kind === "socket") {
    const found = socketMismatch(rule, canonical(asked));
    if (found) return found;
  }
  if (rule.uids && !holdsId(rule.uids, asker.uid, unmappedId(rule, asker))) return "user";
  return inGroups(rule, asker) ? undefined : "group";
}

/** Finds the rule that decides: the first one that matches, or none, and that is a refusal. */
export function firstMatch(policy: Policy, asker: Asker, asked: Asked): Rule | undefined {
  for (const rule of policy.rules) if (!mismatch(rule, asker, asked)) return rule;
  return undefined;
}
