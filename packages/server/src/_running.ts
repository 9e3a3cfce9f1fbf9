import { checked, codeOf, type Syscalls } from "@xsocket/xbind-native";
import { attempt } from "./_failure.ts";
import { checkPolicy } from "./_check-options.ts";
import type { Bounds } from "./bounds.ts";
import type { Claim } from "./control/claim.ts";
import { ServeError } from "./error.ts";
import { type Log, say } from "./log.ts";
import { TOTAL } from "./memory/memory.ts";
import type { Shared } from "./memory/shared.ts";
import type { ServeOptions } from "./options.ts";
import { defaultPolicy } from "./policy/builtin.ts";
import { closedWarning } from "./policy/describe.ts";
import type { Policy } from "./policy/rule.ts";
import type { Common, Pool } from "./pool/pool.ts";
import { beginAudit } from "./serving/audit.ts";
import { readStats, type ServerStats } from "./stats.ts";
import { isReachable, readStatus, type ServerStatus } from "./status.ts";

/** A running server. Disposing of it stops it. */
export interface Server extends AsyncDisposable {
  /** Where it listens, as text. */
  readonly address: string;
  /** The bounds that hold, after RLIMIT_NOFILE was looked at. */
  readonly bounds: Bounds;
  /** Serving threads at most. */
  readonly threads: number;
  /**
   * Resolves when it has stopped and everything is closed. Rejects with a ServeError instead where it
   * stopped by itself: the thread that accepts died, and its program was replaced, as by an upgrade.
   */
  readonly closed: Promise<void>;
  /**
   * Removes the socket file, stops accepting, and answers what has arrived for 200 ms, or for up to 3 seconds where
   * its threads are kept from the processor. May be called again.
   */
  stop(): Promise<void>;
  /**
   * Reads the policy again, and reopens the audit file. If one fails, the old one stays in use, the other is
   * done all the same, and the failure is thrown: a ServeError (PERMISSION or SYSTEM) for the audit file, an
   * AggregateError for both. A server that is stopping does not reopen the audit file.
   */
  reload(): Promise<void>;
  /**
   * For a watchdog, to be called at intervals: wakes every serving thread, and tells whether each has answered
   * the previous call. A dead thread that cannot be replaced yet counts only if it is the one that accepts.
   */
  isAnswering(): boolean;
  /** Whether new clients find it: false once its socket file was removed or replaced. */
  isReachable(): boolean;
  /** What it has done and what it holds. */
  stats(): ServerStats;
  /** The stats, with version, policy, descriptors and the like. */
  status(): ServerStatus;
}

/**
 * Reads the policy.
 *
 * @param address decides where there is none: an abstract name serves root and this user alone
 * @throws what `options.policy` throws
 */
export async function loadPolicy(policy: ServeOptions["policy"], address: string): Promise<Policy> {
  if (!policy) return defaultPolicy(address);
  return checkPolicy(typeof policy === "function" ? await policy(address) : policy);
}

/** Warns of a policy that refuses everyone. */
export function warnIfClosed(policy: Policy, log: Log): void {
  const message = closedWarning(policy);
  if (message !== undefined) say(log, "warning", "policy", message);
}

/** Removes the socket file. A failure is only logged, since the next start replaces the file. */
export async function release(claim: Claim, log: Log): Promise<void> {
  await claim.release().catch((error: unknown) => {
    const message = `the socket file ${claim.address} could not be removed: ${codeOf(error)}`;
    say(log, "warning", "release", message);
  });
}

/** A server that serves. */
export class RunningServer implements Server {
  readonly address: string;
  readonly bounds: Bounds;
  readonly threads: number;
  readonly closed: Promise<void>;
  readonly #sys: Syscalls;
  readonly #options: ServeOptions;
  readonly #log: Log;
  readonly #claim: Claim;
  readonly #common: Common;
  readonly #shared: Shared;
  readonly #pool: Pool;
  readonly #closing = Promise.withResolvers<void>();
  #stopping: Promise<void> | undefined;
  /* Reloads have numbers: how many have begun, whose policy is in force, the last that failed. */
  #reloads = 0;
  #followed = 0;
  #failed = 0;

  constructor(
    sys: Syscalls,
    options: ServeOptions,
    log: Log,
    claim: Claim,
    common: Common,
    shared: Shared,
    pool: Pool,
  ) {
    this.#sys = sys;
    this.#options = options;
    this.#log = log;
    this.#claim = claim;
    this.#common = common;
    this.#shared = shared;
    this.#pool = pool;
    this.address = common.about.address;
    this.bounds = common.bounds;
    this.threads = shared.threadCount;
    this.closed = this.#closing.promise;
    this.closed.catch(() => {}); // the program need not wait for it
    void pool.lost.then(() => this.#endLost());
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop().then(this.#closing.resolve);
    return this.#stopping;
  }

  /* Ends the server when no thread accepts any more: clients would wait for ever, and a service manager restarts it. */
  #endLost(): void {
    const failure = new ServeError(
      "SYSTEM",
      "the server has ended, since no thread of it accepts and none can be started: start it again",
    );
    this.#stopping ??= this.#stop().then(() => this.#closing.reject(failure));
  }

  /* The file goes first, so that new clients hear at once that there is no server, instead of waiting for its end. */
  async #stop(): Promise<void> {
    await release(this.#claim, this.#log);
    await this.#pool.stop();
    this.#sys.close(this.#claim.listenFd);
    if (this.#common.auditFd >= 0) this.#sys.close(this.#common.auditFd);
  }

  async reload(): Promise<void> {
    // a policy with a mistake, or one that takes its time, is no reason to write on into a rotated file
    const parts = await Promise.allSettled([this.#reloadPolicy(), this.#reopenAudit()]);
    const failures: unknown[] = parts.flatMap((part) =>
      part.status === "rejected" ? [part.reason] : [],
    );
    if (failures.length > 1) throw new AggregateError(failures, "neither could be reloaded");
    if (failures.length === 1) throw failures[0];
  }

  /* Reads the policy. One that arrives after that of a later reload is out of date, and dropped. */
  async #reloadPolicy(): Promise<void> {
    const reload = ++this.#reloads;
    try {
      const policy = await loadPolicy(this.#options.policy, this.address);
      if (reload < this.#followed) return;
      this.#pool.follow(policy);
      this.#followed = reload;
      warnIfClosed(policy, this.#log);
    } catch (error) {
      this.#failed = Math.max(reload, this.#failed);
      throw error;
    } finally {
      this.#shared.setTotal(TOTAL.policyOutdated, Number(this.#failed > this.#followed));
    }
  }

  /* For log rotation: the new file takes the old one's descriptor number. */
  async #reopenAudit(): Promise<void> {
    const { auditFd } = this.#common;
    if (auditFd < 0 || this.#stopping) return; // the number may be somebody else's by now
    const fd = beginAudit(this.#options.auditFile, this.#shared, auditFd);
    try {
      attempt("replace the old audit file by the new one", () =>
        checked("dup3", this.#sys.dupOnto(fd, auditFd)),
      );
    } finally {
      this.#sys.close(fd);
    }
  }

  isAnswering(): boolean {
    return this.#pool.areAnswering();
  }

  isReachable(): boolean {
    return this.#stopping !== undefined || isReachable(this.#common.about); // at the end it removes the file itself
  }

  stats(): ServerStats {
    return readStats(this.#shared);
  }

  status(): ServerStatus {
    return readStatus(this.#sys, this.#shared, this.#common, this.#pool.policy);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
