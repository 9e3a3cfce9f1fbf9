import { DEFAULT_ADDRESS, formatAddress, parseAddress, ProtocolError } from "@xsocket/protocol";
import { loadSyscalls, type Syscalls } from "@xsocket/xbind-native";
import { adoptListener } from "./_adopt.ts";
import { claimAddress, type Claim } from "./_claim.ts";
import { groupId } from "./_group.ts";
import { COUNTER, createMemory, Shared } from "./_memory.ts";
import { Pool } from "./_pool.ts";
import { type Bounds, fitBounds } from "./bounds.ts";
import { ServeError } from "./error.ts";
import { isLogged, type Log } from "./log.ts";
import { DEFAULT_MODE, DEFAULT_THREADS, MAX_THREADS, type ServeOptions } from "./options.ts";
import { abstractPolicy, DEFAULT_POLICY } from "./policy/builtin.ts";
import type { Policy } from "./policy/rule.ts";

/** What a server has done and holds. The first group only grows. */
export interface ServerStats {
  /** Connections that were accepted. */
  readonly accepted: number;
  /** Well-formed requests. */
  readonly requests: number;
  /** Sockets that were handed over. */
  readonly granted: number;
  /** Requests that the policy has refused. */
  readonly denied: number;
  /** Requests that the kernel has refused. */
  readonly failed: number;
  /** Connections closed for a malformed request. */
  readonly malformed: number;
  /** Idle connections closed to make room. */
  readonly evicted: number;
  /** Connections refused at a bound. */
  readonly refusedConnections: number;
  /** Requests refused because too many sockets were in flight. */
  readonly refusedInFlight: number;
  /** Connections closed because a time was over. */
  readonly timedOut: number;
  /** Sockets that could not be given their user's ids. */
  readonly unstamped: number;
  /** Serving threads that died and were replaced. */
  readonly threadsReplaced: number;
  /** Connections now. */
  readonly connections: number;
  /** Sockets now that were sent and, as far as known, not received. */
  readonly inFlight: number;
}

/** A running server. Disposing of it stops it. */
export interface Server extends AsyncDisposable {
  /** Where it listens, as text. */
  readonly address: string;
  /** The bounds that hold, after RLIMIT_NOFILE was looked at. */
  readonly bounds: Bounds;
  readonly threads: number;
  /** Resolves when it has stopped and everything is closed. */
  readonly closed: Promise<void>;
  /** Stops accepting, answers what has arrived, removes the socket file. May be called again. */
  stop(): Promise<void>;
  /** Reads the policy again. When that fails, the old one stays, and the failure is thrown. */
  reload(): Promise<void>;
  stats(): ServerStats;
}

function misuse(message: string): never {
  throw new ServeError("MISUSE", message);
}

function checkOptions(options: ServeOptions, named: boolean): number {
  const { threads = DEFAULT_THREADS, mode } = options;
  if (!Number.isInteger(threads) || threads < 1 || threads > MAX_THREADS)
    misuse(`threads must be a whole number from 1 to ${MAX_THREADS}, not ${threads}`);
  if (mode !== undefined && (!Number.isInteger(mode) || mode < 0 || mode > 0o777))
    misuse(`mode must be from 0 to 0777, not ${mode}`);
  if (named && (mode !== undefined || options.group !== undefined))
    misuse(
      options.listenFd === undefined
        ? "an abstract name has neither mode nor group: use a path, or leave them out"
        : "mode and group belong to who made the listening socket: leave them out",
    );
  return threads;
}

function readAddress(text: string) {
  try {
    return parseAddress(text);
  } catch (error) {
    if (error instanceof ProtocolError)
      throw new ServeError("ADDRESS", error.message, { cause: error });
    throw error;
  }
}

async function listen(
  sys: Syscalls,
  options: ServeOptions,
  bounds: Bounds,
): Promise<Claim & { address: string }> {
  if (options.listenFd !== undefined) return adoptListener(sys, options.listenFd);
  const address = readAddress(options.address ?? DEFAULT_ADDRESS);
  const claim = await claimAddress(sys, address, {
    mode: options.mode ?? DEFAULT_MODE,
    gid: options.group === undefined ? undefined : groupId(options.group),
    backlog: bounds.backlog,
    sharedDirectory: options.sharedDirectory ?? false,
  });
  return { ...claim, address: formatAddress(address) };
}

async function readPolicy(policy: ServeOptions["policy"], address: string): Promise<Policy> {
  if (typeof policy === "function") return policy();
  if (policy) return policy;
  return address.startsWith("@") ? abstractPolicy(process.geteuid?.() ?? 0) : DEFAULT_POLICY;
}

function quietBelow(options: ServeOptions): Log {
  const { log = () => {}, logLevel = "info" } = options;
  return (record) => {
    if (isLogged(record.level, logLevel)) log(record);
  };
}

/**
 * Starts a server in this process's network namespace. It serves when the promise resolves.
 *
 * Signals are the program's business: {@link untilSignal} handles them in the usual way.
 *
 * @throws {ServeError} if it cannot start
 * @throws {LibraryNotFoundError} if libxsocket.so is not there
 * @throws what `options.policy` throws
 */
export async function serve(options: ServeOptions = {}): Promise<Server> {
  const isName = options.address?.startsWith("@") === true || options.listenFd !== undefined;
  const threads = checkOptions(options, isName);
  const sys = loadSyscalls();
  const descriptorLimit = sys.descriptorLimit();
  const bounds = fitBounds(options, descriptorLimit);
  const claim = await listen(sys, options, bounds);
  try {
    const policy = await readPolicy(options.policy, claim.address);
    const descriptors = Math.min(descriptorLimit, 2 * bounds.maxConnections + 1024);
    const memory = createMemory(descriptors, bounds.maxConnections, threads);
    const shared = new Shared(memory);
    const common = {
      listenFd: claim.listenFd,
      memory,
      bounds,
      logLevel: options.logLevel ?? "info",
      uid: process.geteuid?.() ?? 0,
      gid: process.getegid?.() ?? 0,
    };
    const pool = new Pool(sys, shared, common, policy, quietBelow(options));
    await pool.start();
    return new RunningServer(sys, options, claim, bounds, shared, pool);
  } catch (error) {
    await claim.release();
    sys.close(claim.listenFd);
    throw error;
  }
}

function counters(shared: Shared) {
  return {
    accepted: shared.sum(COUNTER.accepted),
    requests: shared.sum(COUNTER.requests),
    granted: shared.sum(COUNTER.granted),
    denied: shared.sum(COUNTER.denied),
    failed: shared.sum(COUNTER.failed),
    malformed: shared.sum(COUNTER.malformed),
    evicted: shared.sum(COUNTER.evicted),
    refusedConnections: shared.sum(COUNTER.refusedConnections),
    refusedInFlight: shared.sum(COUNTER.refusedInFlight),
    timedOut: shared.sum(COUNTER.timedOut),
    unstamped: shared.sum(COUNTER.unstamped),
  };
}

class RunningServer implements Server {
  readonly address: string;
  readonly bounds: Bounds;
  readonly threads: number;
  readonly closed: Promise<void>;
  readonly #sys: Syscalls;
  readonly #options: ServeOptions;
  readonly #claim: Claim;
  readonly #shared: Shared;
  readonly #pool: Pool;
  readonly #closing = Promise.withResolvers<void>();
  #stopping: Promise<void> | undefined;

  constructor(
    sys: Syscalls,
    options: ServeOptions,
    claim: Claim & { readonly address: string },
    bounds: Bounds,
    shared: Shared,
    pool: Pool,
  ) {
    this.#sys = sys;
    this.#options = options;
    this.#claim = claim;
    this.#shared = shared;
    this.#pool = pool;
    this.address = claim.address;
    this.bounds = bounds;
    this.threads = shared.threadCount;
    this.closed = this.#closing.promise;
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /* The file goes first: who comes later finds nobody instead of waiting for one who leaves. */
  async #stop(): Promise<void> {
    try {
      await this.#claim.release();
    } finally {
      await this.#pool.stop();
      this.#sys.close(this.#claim.listenFd);
      this.#closing.resolve();
    }
  }

  async reload(): Promise<void> {
    this.#pool.follow(await readPolicy(this.#options.policy, this.address));
  }

  stats(): ServerStats {
    return {
      ...counters(this.#shared),
      threadsReplaced: this.#pool.replaced,
      connections: this.#shared.connections(),
      inFlight: this.#shared.inFlight(),
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
