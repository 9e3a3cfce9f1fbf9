import { constants } from "node:os";
import type { Peer } from "./_peer.ts";
import { firstMatch } from "./policy/match.ts";
import type { Policy } from "./policy/rule.ts";

/** What a request asks for; one object for each thread, filled in for each request. */
export interface SocketRequest {
  readonly kind: "socket";
  domain: number;
  type: number;
  protocol: number;
}

/** Decides about one request: 0 to hand the socket over, else the errno number for the client. */
export type Decide = (peer: Peer, request: SocketRequest) => number;

/** Makes the decision that a policy stands for, once for each policy and thread. */
export function compilePolicy(policy: Policy): Decide {
  return (peer, request) =>
    firstMatch(policy, peer, request)?.allow === true ? 0 : constants.errno.EPERM;
}
