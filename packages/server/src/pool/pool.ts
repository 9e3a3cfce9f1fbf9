import { codeOf, reasonOf, type Syscalls } from "@xsocket/xbind-native";
import { counted } from "../_counted.ts";
import { REMEDIES } from "../_failure.ts";
import { ServeError } from "../error.ts";
import { type Log, say } from "../log.ts";
import { THREAD, TOTAL } from "../memory/memory.ts";
import type { Shared } from "../memory/shared.ts";
import { createQuotaMemory, hasQuota, QUOTA_ROWS, Quotas } from "../policy/quota.ts";
import type { Policy } from "../policy/rule.ts";
import type { PolicyInForce } from "../serving/judge.ts";
import type { Order, Report, ThreadOptions } from "../serving/thread.ts";
import { expectRoom, prepareRow } from "./prepare.ts";
import { Program, ReplacedError } from "./program.ts";
import { reclaim } from "./reclaim.ts";
import { endWorker, startWorker, type Thread } from "./worker.ts";

const STOP_WAIT_MS = 3000; // then a thread is terminated
const RESTART_MS = 100; // between a thread's death and the start of the next one in its place
const RESTART_MAX_MS = 10_000; // the same where one after the other dies before it serves, or cannot be started
const GROW_PAUSE_MS = 60_000; // after a thread could not be started: each try itself takes some threads for a moment

/* For a thread that Bun does not start without saying why. */
const RAISE =
  "Raise the limits of threads and of open files (ulimit -u and -n, TasksMax=, LimitNOFILE=)";

/** What the threads of a server have in common. */
export type Common = Omit<ThreadOptions, "index" | "policy" | "orders">;

/** The serving threads: started, told things, replaced when they die, stopped. */
export class Pool {
  readonly #sys: Syscalls;
  readonly #shared: Shared;
  readonly #common: Common;
  readonly #log: Log;
  readonly #program: Program;
  readonly #threads: Thread[] = [];
  #policy: PolicyInForce;
  #stopping = false;
  #growsFrom = 0; // a time
  #beats: readonly number[] = [];
  readonly #lost = Promise.withResolvers<void>();

  /** Resolves when the thread that accepts is gone and none can be started, since the program was replaced. */
  readonly lost = this.#lost.promise;

  constructor(
    sys: Syscalls,
    shared: Shared,
    common: Common,
    policy: Policy,
    log: Log,
    script: URL,
  ) {
    this.#sys = sys;
    this.#shared = shared;
    this.#common = common;
    this.#policy = this.#inForce(policy);
    this.#log = log;
    this.#program = new Program(script);
  }

  /**
   * Starts the first thread. Resolves when it serves. The others follow when they are needed.
   *
   * @throws {ServeError} SYSTEM if it dies at once; PERMISSION, SYSTEM if the kernel lets none wait
   */
  async start(): Promise<void> {
    const thread = this.#startFirst();
    await Promise.race([thread.ready, thread.closed.then(startFailed)]);
    this.#replaceOnDeath(thread, 0);
  }

  #startFirst(): Thread {
    try {
      return this.#startThread(0);
    } catch (error) {
      if (error instanceof ServeError) throw error;
      startFailed(`${reasonOf(error)}. ${REMEDIES[codeOf(error)] ?? RAISE}`);
    }
  }

  #startThread(index: number): Thread {
    prepareRow(this.#sys, this.#shared, index);
    const orders = this.#shared.total(TOTAL.orders);
    const options = { ...this.#common, index, policy: this.#policy, orders };
    const thread = startWorker(this.#program.file, options, (report) => this.#take(report, index));
    this.#threads[index] = thread;
    return thread;
  }

  #take(report: Report, from: number): void {
    if (report.kind === "crowded") this.#grow();
    if (report.kind !== "log") return;
    this.#shared.addToThread(from, THREAD.records, -1);
    this.#log(report.record);
  }

  /* One at a time, since the next may be enough. */
  #grow(): void {
    const index = this.#threads.length;
    const now = this.#sys.monotonic();
    if (this.#stopping || now < this.#growsFrom) return;
    if (index === this.#shared.threadCount || this.#shared.serving() < index) return;
    try {
      this.#program.expectSame();
      expectRoom(this.#sys);
      this.#replaceOnDeath(this.#startThread(index), index);
    } catch (error) {
      void reclaim(this.#sys, this.#shared, index); // what was made for it
      if (this.#growsFrom === 0) this.#sayNoThread(index, error); // once is enough
      this.#growsFrom = now + GROW_PAUSE_MS;
    }
  }

  /* @param waitedMs how long its start was delayed: the next one waits longer if this one never serves */
  #replaceOnDeath(thread: Thread, index: number, waitedMs = 0): void {
    void thread.closed.then(async (reason) => {
      if (this.#stopping) return;
      const hasServed = this.#shared.thread(index, THREAD.serves) === 1;
      this.#shared.countTotal(TOTAL.replaced);
      const closed = await reclaim(this.#sys, this.#shared, index);
      await new Quotas(this.#policy.quotas, this.#shared.lock).forget(); // it may have died while it counted
      const message = `serving thread ${index} died with ${counted(closed, "connection")} and is replaced: ${reason}`;
      say(this.#log, "error", "thread", message, { thread: index, connections: closed });
      await this.#startSoon(index, hasServed ? RESTART_MS : longer(waitedMs));
    });
  }

  /* Starts a thread, trying again while it fails: memory or a limit may not allow one at the moment. */
  async #startSoon(index: number, firstMs: number): Promise<void> {
    for (let waitMs = firstMs, isSaid = false; ; waitMs = longer(waitMs), isSaid = true) {
      // a long timer would hold up the end of the process
      for (let left = waitMs; left > 0 && !this.#stopping; left -= RESTART_MS)
        await Bun.sleep(RESTART_MS);
      if (this.#stopping) return;
      try {
        this.#program.expectSame();
        return this.#replaceOnDeath(this.#startThread(index), index, waitMs);
      } catch (error) {
        await reclaim(this.#sys, this.#shared, index); // what was made for it
        const isLost = error instanceof ReplacedError && index === 0; // others do not accept
        if (!isSaid || isLost) this.#sayNoThread(index, error, isLost);
        if (isLost) return this.#lost.resolve();
      }
    }
  }

  #sayNoThread(index: number, error: unknown, isLost = false): void {
    const message = `serving thread ${index} cannot be started${isLost ? "" : " yet and is tried again"}: ${reasonOf(error)}`;
    say(this.#log, "error", "thread", message, { thread: index });
  }

  /** The rules in force. */
  get policy(): Policy {
    return this.#policy.policy;
  }

  /** Hands new rules to all threads. */
  follow(policy: Policy): void {
    this.#policy = this.#inForce(policy);
    this.#tell({ kind: "policy", policy: this.#policy });
  }

  /* Counts begin anew with each policy, since a rule is identified only by its place in it. */
  #inForce(policy: Policy): PolicyInForce {
    const rows = policy.rules.some(hasQuota) ? QUOTA_ROWS : 0;
    return { policy, quotas: createQuotaMemory(this.#shared.descriptors, rows) };
  }

  /*
   * Posts an order to all threads before any may take it: a connection that counts by new rules must not move
   * to a thread that does not know them yet, and end there.
   */
  #tell(order: Order): void {
    try {
      for (const { port } of this.#threads) port.postMessage(order);
    } finally {
      this.#shared.countTotal(TOTAL.orders); // else those that have it would stay one order behind
    }
    this.#wakeAll();
  }

  #wakeAll(): void {
    this.#threads.forEach((_, index) =>
      this.#sys.eventfdAdd(this.#shared.thread(index, THREAD.wake)),
    );
  }

  /**
   * Wakes all threads, and tells whether each has answered the previous call; one that hangs has not. A dead
   * one that cannot be replaced yet counts only if it is the first, which alone accepts: without another one
   * the rest still serve. The first call gives true.
   */
  areAnswering(): boolean {
    const beats = this.#threads.map((_, index) => this.#shared.thread(index, THREAD.beat));
    const isMissed = (index: number) =>
      index === 0 || this.#shared.thread(index, THREAD.serves) === 1;
    const answered = beats.every((beat, index) => beat !== this.#beats[index] || !isMissed(index));
    this.#beats = beats;
    this.#wakeAll();
    return answered;
  }

  /** Lets all threads answer what has arrived, and ends them. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#tell({ kind: "stop" });
    // a timer that is left behind would hold up the end of the process
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, STOP_WAIT_MS);
    await Promise.all(this.#threads.map((thread) => endWorker(thread, late)));
    clearTimeout(timer);
    const indexes = Array.from({ length: this.#shared.threadCount }, (_, index) => index);
    await Promise.all(indexes.map((index) => this.#closeRow(index)));
  }

  async #closeRow(index: number): Promise<void> {
    await reclaim(this.#sys, this.#shared, index);
    this.#shared.closeDescriptor(this.#sys, index, THREAD.wake);
  }
}

function longer(ms: number): number {
  return Math.min(Math.max(2 * ms, RESTART_MS), RESTART_MAX_MS);
}

function startFailed(reason: string): never {
  const remedy = reason.includes("_worker.ts'")
    ? ". A bundle needs this file beside it: docs/sdk.md says how it is made"
    : "";
  throw new ServeError("SYSTEM", `a serving thread did not start: ${reason}${remedy}`);
}
