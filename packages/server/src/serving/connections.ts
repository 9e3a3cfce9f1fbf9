import {
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLET,
  EPOLLIN,
  EPOLLOUT,
  errno,
  errnoName,
  POLLHUP,
  SHUT_RDWR,
  type Syscalls,
} from "@xsocket/xbind-native";
import { UNREAD } from "../memory/flight.ts";
import { COUNTER, FIELD, STATE, THREAD } from "../memory/memory.ts";
import { TimeLimits } from "./time-limits.ts";
import type { Context } from "./thread.ts";

/* SIOCOUTQ still gives 1 byte in the instant in which the kernel frees a packet that the peer has received. */
const BEING_FREED = 1;

/** Whether the peer of a connection has received its last reply, or is gone. Any thread may ask. */
export function isReceived(sys: Syscalls, fd: number): boolean {
  return sys.sendQueue(fd) <= BEING_FREED;
}

/** Whether the peer of a connection has hung up. Any thread may ask. */
export function hasHungUp(sys: Syscalls, fd: number): boolean {
  return (sys.poll(fd, 0, 0) & POLLHUP) !== 0;
}

/* What a call gives when the client has hung up. */
const HUNG_UP = new Set([errno.EPIPE, errno.ECONNRESET]);

/** The connections of one thread: from accept to close, with what each counts for. */
export class Connections {
  /** Ends those that are silent, or leave a reply unread, for too long. */
  readonly timeLimits: TimeLimits;
  readonly #context: Context;
  readonly #inEpoll: Uint8Array;

  constructor(context: Context) {
    this.#context = context;
    this.timeLimits = new TimeLimits(context, this);
    this.#inEpoll = new Uint8Array(context.shared.descriptors);
  }

  /** Registers a new connection whose peer has been read. It is busy until it is released or ended. */
  open(fd: number): void {
    const { shared, options, sys } = this.#context;
    shared.set(fd, FIELD.owner, options.index);
    shared.addConnection(fd);
    shared.touch(fd, sys.monotonic()); // first: other threads tell it by that from an earlier one of its number
    shared.set(fd, FIELD.state, STATE.busy);
    shared.count(options.index, COUNTER.accepted);
  }

  /** Forgets a connection that was opened and is not to be served after all; its descriptor stays. */
  disown(fd: number): void {
    const { shared } = this.#context;
    this.#context.judge.ended(fd);
    shared.removeConnection(fd);
  }

  /** Whether the peer has yet to receive its last reply. Notes it once it has. */
  isUnread(fd: number): boolean {
    const { shared, sys } = this.#context;
    if (shared.flight.unread(fd) === UNREAD.none) return false;
    if (!isReceived(sys, fd)) return true;
    shared.flight.setUnread(fd, UNREAD.none);
    return false;
  }

  /** Lets a busy connection wait for its next event. */
  release(fd: number, state: number): void {
    const { shared } = this.#context;
    const waitsForReply = state === STATE.stuck || state === STATE.lingering;
    if (!this.#listenTo(fd, waitsForReply ? EPOLLOUT | EPOLLET : EPOLLIN)) return this.close(fd);
    if (state === STATE.fresh || shared.flight.unread(fd) !== UNREAD.none)
      this.timeLimits.watch(fd);
    shared.set(fd, FIELD.state, state);
  }

  #listenTo(fd: number, events: number): boolean {
    const { sys, epollFd, shared, options } = this.#context;
    const known = this.#inEpoll[fd];
    const wanted = events === EPOLLIN ? 1 : 2;
    if (known === wanted) return true;
    const operation = known === 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    const rc = sys.epollCtl(epollFd, operation, fd, events >>> 0, fd);
    if (rc < 0) return this.#sayUnheard(-rc);
    if (known === 0) shared.addToThread(options.index, THREAD.load, 1);
    this.#inEpoll[fd] = wanted;
    return true;
  }

  /** Says why a connection is closed, unless its client has hung up. */
  sayClosed(why: string, call: string, error: number): void {
    if (HUNG_UP.has(error)) return;
    const message = `a connection was closed, since ${why}: ${call} gives ${errnoName(error)}`;
    this.#context.say("error", "connection", message, { errno: error });
  }

  #sayUnheard(error: number): false {
    const name = errnoName(error);
    const message = `a connection was closed, since it cannot be waited for: epoll_ctl gives ${name}. See fs.epoll.max_user_watches, and the memory that is left`;
    this.#context.say("error", "epoll", message, { errno: error });
    return false;
  }

  /**
   * Ends a busy connection, even one whose peer has hung up: if the peer has closed its end, what it did not
   * receive is gone, but if it has only shut down both directions, it can still receive that.
   *
   * A socket that the peer has not received stays in flight after our close, and could no longer be counted.
   * So such a connection is only shut down, and closed once the peer has received the socket or is gone.
   *
   * @returns whether it is closed now
   */
  end(fd: number): boolean {
    const { sys, shared } = this.#context;
    const hasSocket = shared.flight.unread(fd) === UNREAD.socket;
    if (!hasSocket || !this.isUnread(fd)) {
      this.close(fd);
      return true;
    }
    sys.shutdown(fd, SHUT_RDWR);
    sys.dropPackets(fd); // one that carries the peer's own descriptor would keep the peer's end open
    this.release(fd, STATE.lingering);
    return false;
  }

  /** Closes a busy connection that has no socket for its peer to receive, or at the end of all. */
  close(fd: number): void {
    const { shared, sys, options } = this.#context;
    shared.flight.setUnread(fd, UNREAD.none);
    if (this.#inEpoll[fd] !== 0) shared.addToThread(options.index, THREAD.load, -1);
    this.#inEpoll[fd] = 0;
    this.disown(fd);
    sys.close(fd);
  }

  /** Hands a busy connection to a thread with less to do, if there is one. */
  moveToQuieter(fd: number): boolean {
    const { shared, sys, options, epollFd } = this.#context;
    const to = this.#quieter();
    if (to < 0) return false;
    if (this.#inEpoll[fd] !== 0) {
      sys.epollCtl(epollFd, EPOLL_CTL_DEL, fd, 0, 0);
      shared.addToThread(options.index, THREAD.load, -1);
      this.#inEpoll[fd] = 0;
    }
    if (!shared.move(fd, to)) return false;
    sys.eventfdAdd(shared.thread(to, THREAD.wake));
    return true;
  }

  #quieter(): number {
    const { shared, options } = this.#context;
    let found = -1;
    let least = shared.thread(options.index, THREAD.load) - 1;
    for (let thread = 0; thread < shared.threadCount; thread++) {
      const load = shared.thread(thread, THREAD.load);
      if (load >= least || shared.thread(thread, THREAD.serves) === 0) continue;
      found = thread;
      least = load;
    }
    return found;
  }

  /**
   * Takes in what other threads have sent.
   *
   * @param takeOrders is called before each is looked at, since it may count by new rules
   */
  takeInbox(takeOrders = () => {}): void {
    const { shared, options } = this.#context;
    for (;;) {
      const fd = shared.takePosted(options.index);
      if (fd < 0) return;
      takeOrders();
      if (shared.change(fd, STATE.evicted, STATE.busy)) {
        this.end(fd); // its number may be that of another connection on its way to us by now
        continue;
      }
      if (!shared.change(fd, STATE.moving, STATE.busy)) continue;
      shared.addToThread(options.index, THREAD.load, -1); // release() counts it again
      this.release(fd, STATE.idle);
    }
  }

  /**
   * Asks about some of the sockets that count as in flight, of one account or (-1) of all, whether
   * they still are.
   *
   * @returns whether one is not: then there is room, even if a thread now counts one that it has just sent
   */
  recount(account: number): boolean {
    const { shared, sys } = this.#context;
    return shared.flight.recount(account, (fd) => isReceived(sys, fd));
  }
}
