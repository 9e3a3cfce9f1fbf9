import {
  AF_INET,
  IPPROTO_MPTCP,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_TYPE_MASK,
} from "@xsocket/protocol";
import { errno } from "@xsocket/xbind-native";
import type { SharedLock } from "../memory/lock.ts";
import { firstMatch, isInet } from "../policy/match.ts";
import { SOCK_PACKET } from "../policy/names.ts";
import { hasQuota, type QuotaMemory, type QuotaRefusal, Quotas } from "../policy/quota.ts";
import type { Policy, Rule } from "../policy/rule.ts";
import type { Peer } from "./peer.ts";

const AF_UNSPEC = 0;
const FAMILIES_MAX = 46; // the kernel's AF_MAX; a rule may name a family that a later kernel has

/** What a request asks for; one object for each thread, filled in for each request. */
export interface SocketRequest {
  readonly kind: "socket";
  domain: number;
  type: number;
  protocol: number;
}

/** A policy with the memory that its quotas are counted in. */
export interface PolicyInForce {
  readonly policy: Policy;
  readonly quotas: QuotaMemory;
}

/** Why a request was refused. */
export type Refusal = "no rule" | "rule" | QuotaRefusal;

/*
 * The errno that every kernel gives for meaningless numbers, checked in its order: such a request is not a
 * matter of policy. 0 if the numbers may mean something.
 */
function kernelRefusal({ domain, type, protocol }: SocketRequest): number {
  if ((type & ~(SOCK_TYPE_MASK | SOCK_NONBLOCK | SOCK_CLOEXEC)) !== 0) return errno.EINVAL;
  if (domain < 0 || domain >= FAMILIES_MAX) return errno.EAFNOSUPPORT;
  const base = type & SOCK_TYPE_MASK;
  if (base > SOCK_PACKET) return errno.EINVAL;
  if (domain === AF_UNSPEC) return errno.EAFNOSUPPORT; // within the range, but no family
  if (domain === AF_INET && base === SOCK_PACKET) return 0; // the kernel makes one of AF_PACKET
  if (!isInet(domain)) return 0;
  if (protocol < 0 || protocol > IPPROTO_MPTCP) return errno.EINVAL;
  return base === 0 ? errno.ESOCKTNOSUPPORT : 0;
}

/** Decides about requests by the policy in force. One for each thread. */
export class Judge {
  readonly #now: () => number;
  readonly #lock: SharedLock;
  #policy: Policy;
  #quotas: Quotas;
  /** The rule that decided about the last request, undefined where none did. */
  rule: Rule | undefined;
  /** Why the last request was refused; undefined if only because the kernel would refuse it. */
  refusal: Refusal | undefined;

  constructor(inForce: PolicyInForce, now: () => number, lock: SharedLock) {
    this.#now = now;
    this.#lock = lock;
    this.#policy = inForce.policy;
    this.#quotas = new Quotas(inForce.quotas, this.#lock);
  }

  /** The rules in force. */
  get policy(): Policy {
    return this.#policy;
  }

  /** Decides by other rules from the next request on. What was counted is forgotten. */
  follow(inForce: PolicyInForce): void {
    this.#policy = inForce.policy;
    this.#quotas = new Quotas(inForce.quotas, this.#lock);
  }

  /** Returns 0 to hand the socket over, else the errno number for the client. */
  decide(peer: Peer, request: SocketRequest): number {
    const rule = firstMatch(this.#policy, peer, request);
    this.rule = rule;
    if (!rule) return this.#unruled(request);
    if (!rule.allow) return this.#refuse("rule");
    if (!hasQuota(rule)) return 0;
    const index = this.#policy.rules.indexOf(rule);
    const refusal = this.#quotas.take(rule, index, peer.uid, peer.fd, this.#now());
    return refusal === undefined ? 0 : this.#refuse(refusal);
  }

  /** Whether a client may see the server's status: root, its own user, and whom a rule allows it. */
  showsStatus(peer: Peer, ownUid: number): boolean {
    if (peer.isTrusted(ownUid)) return true;
    return firstMatch(this.#policy, peer, { kind: "status" })?.allow === true;
  }

  /**
   * Forgets a connection that has ended. Returns whether it counted.
   *
   * @param isUnchanged where its own thread may close it meanwhile: whether its number is not another one's by now
   */
  ended(fd: number, isUnchanged?: () => boolean): boolean {
    return this.#quotas.close(fd, isUnchanged);
  }

  #unruled(request: SocketRequest): number {
    this.refusal = undefined;
    return kernelRefusal(request) || this.#refuse("no rule");
  }

  #refuse(refusal: Refusal): number {
    this.refusal = refusal;
    return errno.EPERM;
  }
}
