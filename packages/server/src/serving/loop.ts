/*
 * The loop of a serving thread.
 *
 * How it works: the thread waits in epoll_wait(2) and nowhere else. A new connection is read from
 * at once, because most clients have sent their request by then, and when all that waited have
 * had theirs, they are looked at once more, because most have hung up by then: they never enter
 * epoll. A connection whose client asks again without receiving its reply waits for EPOLLOUT, by
 * edges: there is one whenever a client receives something. If more connections are ready than one
 * wait reports, users share the turns, so that nobody waits for a user who has thousands.
 */
import {
  checked,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLLHUP,
  EPOLLIN,
  EPOLLRDHUP,
  errno,
  type Syscalls,
} from "@xsocket/xbind-native";
import { THREAD, TOTAL } from "../memory/memory.ts";
import { Shared } from "../memory/shared.ts";
import { ACCEPTS, Acceptor, LISTEN_DATA, WAKE_DATA } from "./acceptor.ts";
import { Connections } from "./connections.ts";
import { Judge } from "./judge.ts";
import { Look } from "./look.ts";
import { Peer } from "./peer.ts";
import { limitedVoice } from "./voice.ts";
import type { Context, Order, Report, ThreadOptions } from "./thread.ts";
import { Tick } from "./tick.ts";
import { Turns } from "./turns.ts";

/** Events taken by one wait. Where there are so many, the step is crowded: more may be ready. */
export const EVENTS = 64;
const ACCEPTS_BESIDE = 16; // in a crowded step, beside the events

/** After so many steps a pause is used to collect garbage. */
export const COLLECT_STEPS = 16_384;

/*
 * How long a stopping thread waits for clients that have requests left to be answered, or have not asked yet, in
 * milliseconds. It waits in parts, and what one takes beyond that does not count: this thread was kept from its
 * processor, and has not answered what came meanwhile.
 */
const LAST_MS = 200;
const PART_MS = 20;

/** What a thread exchanges with the main thread. */
export interface Channel {
  /** The next order of the main thread, undefined when there is none. */
  take(): Order | undefined;
  send(report: Report): void;
}

/** Serves connections until it is told to stop. */
export class Loop {
  readonly #context: Context;
  readonly #channel: Channel;
  readonly #connections: Connections;
  readonly #turns: Turns;
  readonly #acceptor: Acceptor;
  readonly #tick: Tick;
  readonly #look: Look;
  readonly #pairs = new Uint32Array(new ArrayBuffer(EVENTS * 8));
  #stopping = false;
  #orders: number; // taken, or sent before its start
  #steps = 0; // since the last collection

  constructor(sys: Syscalls, options: ThreadOptions, channel: Channel) {
    const shared = new Shared(options.memory, options.index);
    const epollFd = shared.thread(options.index, THREAD.epoll);
    const say = limitedVoice(
      options.logLevel,
      (record) => {
        shared.addToThread(options.index, THREAD.records, 1);
        channel.send({ kind: "log", record });
      },
      () => sys.monotonic(),
      () => shared.thread(options.index, THREAD.records),
    );
    const judge = new Judge(options.policy, () => sys.monotonic(), shared.lock);
    const context = { options, sys, shared, epollFd, judge, say };
    const peer = new Peer(sys, shared);
    this.#context = context;
    this.#channel = channel;
    this.#orders = options.orders;
    this.#connections = new Connections(context);
    this.#turns = new Turns(context, this.#connections, peer);
    this.#acceptor = new Acceptor(context, this.#connections, peer, this.#turns);
    this.#tick = new Tick(sys, shared, options.index, say);
    this.#look = new Look(
      () => sys.monotonic(),
      () => !shared.isLoadedBeside(options.index),
    );
    checked("epoll_ctl", sys.epollCtl(epollFd, EPOLL_CTL_ADD, this.#wakeFd, EPOLLIN, WAKE_DATA));
  }

  get #wakeFd(): number {
    return this.#context.shared.thread(this.#context.options.index, THREAD.wake);
  }

  /** Runs the loop. Returns when the thread has stopped. */
  run(): void {
    const { shared, options } = this.#context;
    shared.setThread(options.index, THREAD.serves, 1);
    this.#channel.send({ kind: "ready" });
    while (!this.#stopping) this.#step();
    this.#finish();
  }

  #step(): void {
    const { sys, epollFd } = this.#context;
    const lookUs = this.#look.begin();
    const count = sys.epollWait(epollFd, this.#pairs, EVENTS, this.#waitMs(), lookUs);
    this.#look.end();
    this.#tick.waited(count);
    if (count === -errno.EINTR) this.#collect();
    else if (checked("epoll_wait", count) > 0) this.#steps++;
    if (count === EVENTS) this.#handleCrowd();
    else this.#handleSome(count, 0);
    this.#connections.timeLimits.check();
    this.#acceptor.resume();
    if (this.#turns.isCrowdLasting()) this.#askForThread();
  }

  /* New connections come last: those that ended before them count no longer then, at bounds and quotas. */
  #handleSome(count: number, first: number): void {
    this.#turns.begin(count === EVENTS);
    let listened = -1;
    for (let i = 0; i < count; i++) {
      const at = 2 * ((first + i) % count);
      if (this.#pairs[at + 1] === LISTEN_DATA) listened = at;
      else this.#handleGuarded(this.#pairs[at] ?? 0, this.#pairs[at + 1] ?? 0);
    }
    if (listened >= 0) this.#handleGuarded(this.#pairs[listened] ?? 0, LISTEN_DATA);
  }

  /* Connections that get no turn come in the same order again, so each step begins at a random one of them. */
  #handleCrowd(): void {
    this.#handleSome(EVENTS, Math.floor(Math.random() * EVENTS));
    this.#workBeside();
  }

  /* Does the other work of a step, which must not wait for all the connections that are ready. */
  #workBeside(): void {
    try {
      this.#wake();
      if (this.#acceptor.isListening) this.#acceptSome(ACCEPTS_BESIDE);
    } catch (error) {
      this.#turns.failed(error, -1);
    }
  }

  /* Collects garbage in a pause: compiling leaves some, which the engine keeps while little is added to it. */
  #collect(): void {
    if (this.#steps < COLLECT_STEPS) return;
    this.#steps = 0;
    Bun.gc(true);
  }

  #askForThread(): void {
    const { shared } = this.#context;
    if (shared.serving() < shared.threadCount) this.#channel.send({ kind: "crowded" });
  }

  #waitMs(): number {
    const limit = this.#connections.timeLimits.waitMs();
    const pause = this.#acceptor.waitMs();
    return limit < 0 ? pause : pause < 0 ? limit : Math.min(limit, pause);
  }

  #handleGuarded(events: number, data: number): void {
    try {
      this.#handle(events, data);
    } catch (error) {
      this.#turns.failed(error, -1);
    }
  }

  #handle(events: number, data: number): void {
    if (data === LISTEN_DATA) this.#listened(events);
    else if (data === WAKE_DATA) this.#wake();
    else this.#turns.event(data, events);
  }

  #listened(events: number): void {
    const mayMoreWait = this.#acceptSome(ACCEPTS);
    if (!mayMoreWait && (events & (EPOLLHUP | EPOLLRDHUP)) !== 0) this.#acceptor.lost();
  }

  #acceptSome(most: number): boolean {
    const mayMoreWait = this.#acceptor.accept(most);
    this.#turns.settle();
    return mayMoreWait;
  }

  #wake(): void {
    this.#context.sys.eventfdTake(this.#wakeFd);
    this.#context.shared.addToThread(this.#context.options.index, THREAD.beat, 1);
    this.#takeOrders();
    this.#connections.takeInbox(() => this.#takeOrders());
  }

  /* Leaves an order for later that other threads have not been sent yet. */
  #takeOrders(): void {
    for (; this.#orders < this.#context.shared.total(TOTAL.orders); this.#orders++) {
      const order = this.#channel.take();
      if (!order) return;
      this.#obey(order);
    }
  }

  #obey(order: Order): void {
    if (order.kind === "stop") this.#stopping = true;
    else this.#context.judge.follow(order.policy);
  }

  /* Answers what has arrived, and closes everything. */
  #finish(): void {
    const { shared, options } = this.#context;
    shared.retire(options.index);
    this.#connections.takeInbox();
    this.#acceptor.finish();
    this.#turns.settle();
    const open: number[] = [];
    for (let fd = 0; fd < shared.used; fd++) if (this.#turns.last(fd)) open.push(fd);
    this.#finishOpen(open);
  }

  /*
   * A client that pipelines is answered as it receives its replies, one that has only connected when it asks:
   * events tell of both.
   */
  #finishOpen(fds: number[]): void {
    const { sys, epollFd } = this.#context;
    sys.epollCtl(epollFd, EPOLL_CTL_DEL, this.#wakeFd, 0, WAKE_DATA); // calls are not answered any more
    const open = new Set(fds);
    let now = sys.monotonic();
    for (let end = now + LAST_MS; open.size > 0 && now < end; now = sys.monotonic()) {
      const waitMs = Math.min(PART_MS, Math.ceil(end - now));
      const count = sys.epollWait(epollFd, this.#pairs, EVENTS, waitMs, 0);
      end += Math.max(0, sys.monotonic() - now - PART_MS);
      for (let i = 0; i < count; i++) {
        const fd = this.#pairs[2 * i + 1] ?? -1;
        if (open.has(fd) && !this.#turns.last(fd)) open.delete(fd);
      }
    }
    for (const fd of open) this.#turns.cut(fd);
  }
}
