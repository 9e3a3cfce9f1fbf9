/*
 * The loop of a serving thread.
 *
 * How it works: the thread waits in epoll_wait(2) and nowhere else. A new connection is read from
 * at once, because most clients have sent their request by then, and when all that waited have
 * had theirs, they are looked at once more, because most have hung up by then: they never enter
 * epoll. A connection whose client asks again without receiving its reply waits for EPOLLOUT, by
 * edges: there is one whenever a client receives something. Where more are ready than one wait
 * tells of, users share the turns, so that nobody waits for one who has thousands.
 */
import {
  checked,
  EPOLL_CTL_ADD,
  EPOLLHUP,
  EPOLLIN,
  errno,
  POLLHUP,
  type Syscalls,
} from "@xsocket/xbind-native";
import { ACCEPTS, Acceptor, LISTEN_DATA, WAKE_DATA } from "./_acceptor.ts";
import { Answerer, TURN } from "./_answer.ts";
import { Answered } from "./_answered.ts";
import { Connections } from "./_connections.ts";
import { Crowd } from "./_crowd.ts";
import { Judge } from "./_judge.ts";
import { FIELD, STATE, THREAD } from "./_memory.ts";
import { Shared } from "./_shared.ts";
import { Peer } from "./_peer.ts";
import { limitedVoice } from "./_say.ts";
import { Shares } from "./_shares.ts";
import type { Context, Order, Report, ThreadOptions } from "./_thread.ts";
import { Tick } from "./_tick.ts";
import { isLogged } from "./log.ts";

/** Events taken by one wait. Where there are so many, the step is crowded: more may be ready. */
export const EVENTS = 64;
const ACCEPTS_BESIDE = 16; // in a crowded step, beside the events

/** After so many steps a pause is used to collect garbage. */
export const COLLECT_STEPS = 16_384;

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
  readonly #answerer: Answerer;
  readonly #acceptor: Acceptor;
  readonly #answered: Answered;
  readonly #tick: Tick;
  readonly #crowd: Crowd;
  readonly #shares: Shares;
  readonly #pairs = new Uint32Array(new ArrayBuffer(EVENTS * 8));
  #stopping = false;
  #steps = 0; // since the last collection
  #current = -1; // the connection that is being served

  constructor(sys: Syscalls, options: ThreadOptions, channel: Channel) {
    const shared = new Shared(options.memory, options.index);
    const epollFd = shared.thread(options.index, THREAD.epoll);
    const say = limitedVoice(
      options.logLevel,
      (record) => {
        shared.addRecords(options.index, 1);
        channel.send({ kind: "log", record });
      },
      () => sys.monotonic(),
      () => shared.thread(options.index, THREAD.records),
    );
    const logs: Context["logs"] = (level) => isLogged(level, options.logLevel);
    const judge = new Judge(options.policy, () => sys.monotonic(), options.index);
    const context = { options, sys, shared, epollFd, judge, say, logs };
    const peer = new Peer(sys, shared);
    this.#context = context;
    this.#channel = channel;
    this.#connections = new Connections(context);
    this.#answerer = new Answerer(context, this.#connections, peer);
    this.#answered = new Answered(sys, this.#connections, (fd) => this.#serveGuarded(fd));
    const settle = () => this.#answered.settle();
    const serve = (fd: number) => this.#serveNew(fd);
    this.#acceptor = new Acceptor(context, this.#connections, peer, settle, serve);
    this.#tick = new Tick(sys, shared, options.index, say);
    this.#crowd = new Crowd(() => sys.monotonic());
    this.#shares = new Shares((account) => shared.connectionsOf(account) === shared.connections());
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
    this.#channel.send({ kind: "stopped" });
  }

  #step(): void {
    const { sys, epollFd } = this.#context;
    const count = sys.epollWait(epollFd, this.#pairs, EVENTS, this.#waitMs());
    this.#tick.waited(count);
    if (count === -errno.EINTR) this.#collect();
    else if (checked("epoll_wait", count) > 0) this.#steps++;
    if (count === EVENTS) this.#handleCrowd();
    else this.#handleSome(count, 0);
    this.#connections.lookAtDue();
    this.#acceptor.resume();
    if (this.#crowd.isLasting()) this.#askForThread();
  }

  #handleSome(count: number, first: number): void {
    this.#shares.begin(count === EVENTS);
    for (let i = 0; i < count; i++) {
      const at = 2 * ((first + i) % count);
      this.#handleGuarded(this.#pairs[at] ?? 0, this.#pairs[at + 1] ?? 0);
    }
  }

  /* Those that are passed over come in the same order again, so chance says where a step begins. */
  #handleCrowd(): void {
    this.#handleSome(EVENTS, Math.floor(Math.random() * EVENTS));
    this.#lookBeside();
  }

  /* What else there is to do does not wait for all the connections that are ready. */
  #lookBeside(): void {
    this.#current = -1;
    try {
      this.#wake();
      if (this.#acceptor.isListening) this.#acceptSome(ACCEPTS_BESIDE);
    } catch (error) {
      this.#endFailed(error);
    }
  }

  /* Nobody asks. Compiling leaves garbage, which the engine keeps as long as little is added to it. */
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
    const look = this.#connections.waitMs();
    const pause = this.#acceptor.waitMs();
    return look < 0 ? pause : pause < 0 ? look : Math.min(look, pause);
  }

  /* An exception in serving a connection ends that connection alone. */
  #handleGuarded(events: number, data: number): void {
    this.#current = -1;
    try {
      this.#handle(events, data);
    } catch (error) {
      this.#endFailed(error);
    }
  }

  #serveGuarded(fd: number): void {
    this.#current = fd;
    try {
      this.#serve(fd);
    } catch (error) {
      this.#endFailed(error);
    }
  }

  #endFailed(error: unknown): void {
    this.#context.say("error", "exception", `a connection was closed by ${String(error)}`, {});
    this.#closeScratch();
    this.#endCurrent();
  }

  #endCurrent(): void {
    const { shared } = this.#context;
    const fd = this.#current;
    if (fd >= 0 && shared.get(fd, FIELD.state) === STATE.busy) this.#connections.end(fd);
  }

  #handle(events: number, data: number): void {
    if (data === LISTEN_DATA) this.#listened(events);
    else if (data === WAKE_DATA) this.#wake();
    else this.#event(data, events);
  }

  #listened(events: number): void {
    this.#acceptSome(ACCEPTS);
    if ((events & EPOLLHUP) !== 0) this.#acceptor.lost();
  }

  #acceptSome(most: number): void {
    this.#acceptor.accept(most);
    this.#answered.settle();
  }

  #wake(): void {
    this.#context.sys.eventfdTake(this.#wakeFd);
    this.#context.shared.countBeat(this.#context.options.index);
    this.#connections.takeInbox();
    for (let order = this.#channel.take(); order; order = this.#channel.take()) this.#obey(order);
  }

  #obey(order: Order): void {
    if (order.kind === "stop") this.#stopping = true;
    else this.#context.judge.follow(order.policy);
  }

  #closeScratch(): void {
    const { sys, shared, options } = this.#context;
    const scratch = shared.thread(options.index, THREAD.scratch);
    if (scratch >= 0) sys.close(scratch);
    shared.setThread(options.index, THREAD.scratch, -1);
  }

  #serveNew(fd: number): void {
    this.#current = fd;
    try {
      const turn = this.#answerer.turn(fd);
      if (turn === TURN.over) this.#connections.end(fd);
      else if (turn === TURN.waiting) this.#connections.release(fd, STATE.fresh);
      else this.#answered.add(fd);
    } catch (error) {
      this.#endFailed(error);
    }
  }

  /*
   * The event may be of a connection that was closed since the wait, evicted for one, and the next
   * client have its number: here or, as the owner tells, with another thread.
   */
  #event(fd: number, events: number): void {
    const { shared, options } = this.#context;
    const state = shared.get(fd, FIELD.state);
    // One that is to move or to be evicted is in an inbox, and that comes next.
    if (!isWaiting(state) || shared.get(fd, FIELD.owner) !== options.index) return;
    const hasTurn = this.#shares.take(shared.get(fd, FIELD.account));
    if (!hasTurn && (state === STATE.idle || state === STATE.fresh)) return; // the next wait has it again
    if (!shared.change(fd, state, STATE.busy)) return;
    this.#current = fd;
    if (state === STATE.lingering) return this.#linger(fd);
    if (!hasTurn) return this.#passOver(fd);
    if ((events & EPOLLHUP) !== 0 && this.#isGone(fd)) return void this.#connections.end(fd);
    this.#serve(fd);
  }

  /* One that was stuck is told of once, and has to wait as the others do. */
  #passOver(fd: number): void {
    const isStuck = this.#connections.isUnread(fd);
    this.#connections.release(fd, isStuck ? STATE.stuck : STATE.idle);
  }

  #isGone(fd: number): boolean {
    return (this.#context.sys.poll(fd, 0, 0) & POLLHUP) !== 0;
  }

  #linger(fd: number): void {
    if (this.#connections.isUnread(fd)) this.#connections.release(fd, STATE.lingering);
    else this.#connections.close(fd);
  }

  /* One request in a turn, so that a client that sends many does not hold up the others. */
  #serve(fd: number): void {
    if (this.#connections.isUnread(fd)) return this.#connections.release(fd, STATE.stuck);
    if (this.#answerer.turn(fd) === TURN.over) return void this.#connections.end(fd);
    this.#rest(fd);
  }

  /* A second request tells a connection that is kept open, and those are shared among the threads. */
  #rest(fd: number): void {
    const requests = this.#context.shared.get(fd, FIELD.requests);
    if (requests > 1) {
      if (this.#connections.moveToQuieter(fd)) return;
      this.#crowd.served();
    }
    this.#connections.release(fd, requests === 0 ? STATE.fresh : STATE.idle);
  }

  /* Answers what has arrived, and closes everything. */
  #finish(): void {
    const { shared, options } = this.#context;
    this.#tick.start();
    shared.retire(options.index);
    this.#connections.takeInbox();
    for (let left = options.bounds.backlog; left > 0 && this.#acceptor.isAwaited(); left -= ACCEPTS)
      this.#acceptSome(ACCEPTS);
    for (let fd = 0; fd < shared.descriptors; fd++) {
      if (shared.get(fd, FIELD.owner) === options.index) this.#finishOne(fd);
    }
  }

  #finishOne(fd: number): void {
    const { shared } = this.#context;
    const state = shared.get(fd, FIELD.state);
    if (!isWaiting(state) || !shared.change(fd, state, STATE.busy)) return;
    if (state === STATE.fresh || state === STATE.idle) this.#answerer.turn(fd);
    this.#connections.close(fd);
  }
}

function isWaiting(state: number): boolean {
  return (
    state === STATE.idle ||
    state === STATE.fresh ||
    state === STATE.stuck ||
    state === STATE.lingering
  );
}
