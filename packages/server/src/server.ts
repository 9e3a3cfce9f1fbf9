import { pathToFileURL } from "bun";
import { join } from "node:path";
import { checked, loadSyscalls, reasonOf, type Syscalls } from "@xsocket/xbind-native";
import { systemError } from "./_failure.ts";
import { checkOptions, checkPolicy } from "./_options.ts";
import { type Bounds, DEFAULT_BOUNDS, fitBounds } from "./bounds.ts";
import type { Claim } from "./control/claim.ts";
import { listen, ownUser } from "./control/listen.ts";
import { refuseDescriptorsOf } from "./control/passrights.ts";
import { lastingPath } from "./control/path.ts";
import { ServeError } from "./error.ts";
import { type Log, wantedOf } from "./log.ts";
import { createMemory } from "./memory/memory.ts";
import { Shared } from "./memory/shared.ts";
import { DEFAULT_LOG_LEVEL, DEFAULT_THREADS, type ServeOptions } from "./options.ts";
import { abstractPolicy, DEFAULT_POLICY } from "./policy/builtin.ts";
import { closedWarning } from "./policy/describe.ts";
import type { Policy } from "./policy/rule.ts";
import { type Common, Pool } from "./pool/pool.ts";
import { beginAudit } from "./serving/audit.ts";
import { readStats, type ServerStats } from "./stats.ts";
import { isReachable, ownNamespace, readStatus, type ServerStatus } from "./status.ts";

/* In a bundle it lies beside the script. */
const WORKER = pathToFileURL(join(import.meta.dir, "_worker.ts"));

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
  /** Stops accepting, answers what has arrived, removes the socket file. May be called again. */
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

async function readPolicy(policy: ServeOptions["policy"], address: string): Promise<Policy> {
  if (policy) return checkPolicy(typeof policy === "function" ? await policy() : policy);
  return address.startsWith("@") ? abstractPolicy(process.geteuid?.() ?? 0) : DEFAULT_POLICY;
}

/* Warns of a policy that refuses everyone. */
function warnIfClosed(policy: Policy, log: Log): void {
  const message = closedWarning(policy);
  if (message !== undefined) log({ level: "warning", event: "policy", message, fields: {} });
}

/*
 * The tables of connections are indexed by descriptor and have room for those below this number. That is
 * more than maxConnections, since the program may have many other descriptors open, and room that is not
 * used takes no memory.
 */
function descriptorsFor({ maxConnections }: Bounds, limit: number): number {
  return Math.min(limit, 2 * Math.max(maxConnections, DEFAULT_BOUNDS.maxConnections) + 1024);
}

/* Removes the socket file. A failure is only logged, since the next start replaces the file. */
async function release(claim: Claim, log: Log): Promise<void> {
  await claim.release().catch((error: unknown) =>
    log({
      level: "warning",
      event: "release",
      message: `the socket file could not be removed: ${reasonOf(error)}`,
      fields: {},
    }),
  );
}

/**
 * Starts a server in this process's network namespace. It serves when the promise resolves.
 *
 * Signals are the program's business: {@link untilSignal} handles them in the usual way.
 *
 * @throws {ServeError} if it cannot start
 * @throws {LibraryNotFoundError} if libxsocket.so is not there
 * @throws {InstallationError} if it cannot be loaded, or Bun is of another series
 * @throws what `options.policy` throws
 */
export async function serve(given: ServeOptions = {}): Promise<Server> {
  checkOptions(given);
  const { threads = DEFAULT_THREADS, auditFile } = given;
  const options = { ...given, auditFile: auditFile && lastingPath(auditFile) };
  const sys = loadSyscalls();
  const descriptorLimit = sys.descriptorLimit();
  const bounds = fitBounds(options, descriptorLimit, threads);
  const log = wantedOf(options);
  const claim = await listen(sys, { ...options, log }, bounds);
  let auditFd = -1;
  try {
    // a socket made here has refused them since before it listened
    if (options.listenFd !== undefined && options.refuseDescriptors === true)
      refuseDescriptorsOf(sys, claim.listenFd);
    const policy = await readPolicy(options.policy, claim.address);
    const memory = createMemory(descriptorsFor(bounds, descriptorLimit), threads);
    const shared = new Shared(memory);
    const { address, file } = claim;
    const namespace = ownNamespace();
    const about = { address, file, namespace, startedAt: sys.monotonic() };
    auditFd = beginAudit(options.auditFile, shared);
    const common = {
      listenFd: claim.listenFd,
      ownsListener: options.listenFd === undefined || options.ownsFile === true,
      memory,
      bounds,
      about,
      auditFd,
      logLevel: options.logLevel ?? DEFAULT_LOG_LEVEL,
      ...ownUser(),
    };
    const pool = new Pool(sys, shared, common, policy, log, WORKER);
    await pool.start().catch((error: unknown) => pool.stop().then(() => Promise.reject(error)));
    warnIfClosed(policy, log);
    return new RunningServer(sys, options, log, claim, common, shared, pool);
  } catch (error) {
    await release(claim, log);
    sys.close(claim.listenFd);
    if (auditFd >= 0) sys.close(auditFd);
    throw error;
  }
}

class RunningServer implements Server {
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
    const failures: unknown[] = [];
    try {
      await this.#reloadPolicy();
    } catch (error) {
      failures.push(error);
    }
    try {
      this.#reopenAudit(); // a policy with a mistake is no reason to write on into a rotated file
    } catch (error) {
      failures.push(error);
    }
    if (failures.length > 1) throw new AggregateError(failures, "neither could be reloaded");
    if (failures.length === 1) throw failures[0];
  }

  /* Reads the policy. One that arrives after that of a later reload is out of date, and dropped. */
  async #reloadPolicy(): Promise<void> {
    const reload = ++this.#reloads;
    try {
      const policy = await readPolicy(this.#options.policy, this.address);
      if (reload < this.#followed) return;
      this.#pool.follow(policy);
      this.#followed = reload;
      warnIfClosed(policy, this.#log);
    } catch (error) {
      this.#failed = Math.max(reload, this.#failed);
      throw error;
    } finally {
      this.#shared.setPolicyOutdated(this.#failed > this.#followed);
    }
  }

  /* For log rotation: the new file takes the old one's descriptor number. */
  #reopenAudit(): void {
    const { auditFd } = this.#common;
    if (auditFd < 0 || this.#stopping) return; // the number may be somebody else's by now
    const fd = beginAudit(this.#options.auditFile, this.#shared, auditFd);
    try {
      checked("dup3", this.#sys.dupOnto(fd, auditFd));
    } catch (error) {
      throw systemError("replace the old audit file by the new one", error);
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
