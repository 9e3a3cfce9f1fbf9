import { SIGNATURE_BYTES } from "@xsocket/protocol";
import { errno, errnoName } from "@xsocket/xbind-native";
import { commandOf } from "../_process.ts";
import { isLogged } from "../log.ts";
import { describeAsked } from "../policy/describe.ts";
import { NOBODY } from "../policy/ids.ts";
import { type Audit, auditTo, type Outcome } from "./audit.ts";
import type { Refusal, SocketRequest } from "./judge.ts";
import { describePeer, type Peer } from "./peer.ts";
import { forNow, isScarcity } from "./scarce.ts";
import type { Context } from "./thread.ts";

/* Else a reader of the log would allow uid 65534 by number, in vain. */
const UNMAPPED = `; no rule can allow uid ${NOBODY}, which stands for all users that are not mapped into this user namespace`;

function auditOf(context: Context): Audit | undefined {
  if (context.options.auditFd < 0) return undefined;
  return auditTo(context.options.auditFd, context.shared, (reason) =>
    context.say(
      "error",
      "audit",
      `a line of the audit file is lost: ${reason}. Check that there is room for it, or that a FIFO is read`,
    ),
  );
}

/** Tells the log and the audit file how each request ends. */
export class Reporter {
  readonly #context: Context;
  readonly #peer: Peer;
  readonly #request: SocketRequest;
  readonly #saysEach: boolean;
  readonly #saysRefusals: boolean;
  readonly #audit: Audit | undefined;
  #isScarce = false; // since the last socket that was handed over

  /**
   * @param peer    who asks
   * @param request what is asked; both are those of the request at hand, whenever a method is called
   */
  constructor(context: Context, peer: Peer, request: SocketRequest) {
    this.#context = context;
    this.#peer = peer;
    this.#request = request;
    this.#saysEach = isLogged("debug", context.options.logLevel);
    this.#saysRefusals = isLogged("warning", context.options.logLevel);
    this.#audit = auditOf(context);
  }

  /** A bound refuses it. */
  tooMany(fd: number, reason: string): void {
    if (this.#saysRefusals) this.#sayTooMany(reason);
    this.#note("refused", fd, errno.ETOOMANYREFS, reason);
  }

  /** The policy refuses it. */
  denied(fd: number, error: number, refusal: Refusal): void {
    if (this.#saysRefusals) this.#sayDenied(fd, refusal);
    this.#note("refused", fd, error, refusal);
  }

  /** socket(2) has failed, or is known to fail. */
  notMade(fd: number, error: number): void {
    if (isScarcity(errnoName(error))) this.#sayScarce("make sockets", error);
    if (error === errno.EPERM) this.#sayForbidden(); // the client takes it for a refusal by a rule
    this.#note("failed", fd, error, "socket");
  }

  /** Its socket is about to be handed over: no socket is out without its line in the audit file. */
  granting(fd: number): void {
    this.#note("granted", fd, 0, undefined);
  }

  /** Its socket was handed over. */
  granted(): void {
    this.#isScarce = false;
    if (this.#saysEach) this.#sayGranted();
  }

  /** Its socket could not be handed over. */
  undelivered(fd: number, error: number): void {
    if (isScarcity(errnoName(error))) this.#sayScarce("hand sockets over", error);
    this.#note("failed", fd, error, "not delivered");
  }

  /** Its packet gets no answer. At level debug, for those who write a client: anybody can send any number of them. */
  notAnswered(packet: Uint8Array, length: number): void {
    if (!this.#saysEach) return;
    const { pid, uid } = this.#peer;
    const start = packet.subarray(0, Math.min(length, SIGNATURE_BYTES)).toHex();
    const message = `closed a connection: its packet of ${length} bytes, which begins with ${start}, is no request that it may make`;
    this.#context.say("debug", "malformed", message, { pid, uid });
  }

  #sayTooMany(reason: string): void {
    const { pid, uid } = this.#peer;
    const message = `refused ${describePeer(pid, uid)}: too many ${reason}`;
    this.#context.say("warning", "bound", message, { pid, uid });
  }

  /* Said once: clients ask again and again. */
  #sayScarce(attempt: string, error: number): void {
    if (this.#isScarce) return;
    this.#isScarce = true;
    this.#context.say("error", "socket", forNow(attempt, error), { errno: error });
  }

  #sayDenied(fd: number, refusal: Refusal): void {
    const { sys, judge } = this.#context;
    const { pid, uid, gid } = this.#peer;
    const asked = describeAsked(this.#request);
    const rule = judge.rule?.name;
    const reason = rule === undefined ? refusal : `${refusal}, ${rule}`;
    const more = this.#peer.isUnmapped && refusal === "no rule" ? UNMAPPED : "";
    this.#context.say("warning", "denied", `refused ${asked} (${reason}${more})`, () => {
      const command = commandOf(sys, fd, pid);
      return { pid, uid, gid, command, asked, reason: refusal, rule };
    });
  }

  #sayForbidden(): void {
    const { pid, uid } = this.#peer;
    const asked = describeAsked(this.#request);
    const message = `the kernel does not let this server make ${asked} (EPERM): a raw or packet socket needs CAP_NET_RAW`;
    this.#context.say("error", "forbidden", message, { pid, uid, asked });
  }

  /* The audit file's line for one request. */
  #note(outcome: Outcome, fd: number, error: number, reason: string | undefined): void {
    if (!this.#audit) return;
    const { pid, uid, gid } = this.#peer;
    this.#audit(outcome, error, {
      pid,
      uid,
      gid,
      command: commandOf(this.#context.sys, fd, pid),
      asked: describeAsked(this.#request),
      ...this.#request,
      rule: this.#context.judge.rule?.name,
      reason,
    });
  }

  #sayGranted(): void {
    const { domain, type, protocol } = this.#request;
    const { pid, uid, gid } = this.#peer;
    this.#context.say(
      "debug",
      "granted",
      `gave socket(${domain}, ${type}, ${protocol}) to ${describePeer(pid, uid)}`,
      { pid, uid, gid, domain, type, protocol },
    );
  }
}
