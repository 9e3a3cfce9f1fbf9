import { encode, REQUEST_BYTES, RESPONSE_BYTES, SIGNATURE_BYTES } from "@xsocket/protocol";
import {
  checked,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLIN,
  EPOLLRDHUP,
  errno,
  errnoName,
  SHUT_RD,
} from "@xsocket/xbind-native";
import { COUNTER, THREAD } from "../memory/memory.ts";
import { Admission } from "./admission.ts";
import type { Connections } from "./connections.ts";
import type { Peer } from "./peer.ts";
import { forNow, isScarcity } from "./scarce.ts";
import type { Context } from "./thread.ts";
import type { Turns } from "./turns.ts";

/** The epoll data of the listening socket and of the eventfd: no descriptor has these numbers. */
export const LISTEN_DATA = 0x7ffffffe;
export const WAKE_DATA = 0x7fffffff;

const LISTENS = EPOLLIN | EPOLLRDHUP; // the latter when it was shut down for reading

/** Connections accepted in a row, then others have their turn. */
export const ACCEPTS = 64;
const PAUSE_MS = 100; // after accept failed for want of descriptors or memory

/** Accepts new connections, within the bounds. */
export class Acceptor {
  readonly #context: Context;
  readonly #admission: Admission;
  readonly #turns: Pick<Turns, "first" | "makeRoom">;
  readonly #packet = new Uint8Array(new ArrayBuffer(REQUEST_BYTES));
  #listens: boolean; // true in one thread, until the socket is lost
  #pausedUntil = 0;
  #isFailing = false; // since the last one that was accepted

  /** @param turns takes on the connections that are open now */
  constructor(
    context: Context,
    connections: Connections,
    peer: Peer,
    turns: Pick<Turns, "first" | "makeRoom">,
  ) {
    this.#context = context;
    this.#admission = new Admission(context, connections, peer, turns);
    this.#turns = turns;
    // several threads would wake each other for nothing, and one keeps up with a minimal server in C
    this.#listens = context.options.index === 0;
    if (!this.#listens) return;
    checked("epoll_ctl", this.#control(EPOLL_CTL_ADD, LISTENS));
    this.#renewSpare();
  }

  /* The socket stays registered while accepting pauses: adding it again could fail for want of room. */
  #control(operation: number, events: number): number {
    const { sys, epollFd, options } = this.#context;
    return sys.epollCtl(epollFd, operation, options.listenFd, events, LISTEN_DATA);
  }

  /** Whether it accepts: false in a pause. */
  get isListening(): boolean {
    return this.#listens && this.#pausedUntil === 0;
  }

  /** Milliseconds until accepting goes on after a pause; -1 when there is none. */
  waitMs(): number {
    if (this.#pausedUntil === 0) return -1;
    return Math.max(0, Math.ceil(this.#pausedUntil - this.#context.sys.monotonic()));
  }

  /** Ends a pause that is over. */
  resume(): void {
    if (this.#pausedUntil === 0 || this.waitMs() > 0) return;
    this.#pausedUntil = 0;
    this.#control(EPOLL_CTL_MOD, LISTENS);
  }

  /**
   * Stops listening after another process that has the socket has shut it down: that cannot be undone, and
   * its events would wake this thread for ever.
   */
  lost(): void {
    this.#leave();
    this.#context.say(
      "error",
      "accept",
      "no client can connect any more, since the listening socket was shut down: restart this server, or the socket unit that made it",
    );
  }

  #leave(): void {
    this.#listens = false;
    this.#control(EPOLL_CTL_DEL, 0);
  }

  /**
   * Accepts the clients that wait now, and none after them. A listening socket that other processes have too is
   * left to the next server. One that is ours alone refuses later clients, and is closed at the end, so that its
   * name is free.
   */
  finish(): void {
    const { sys, shared, options } = this.#context;
    if (!this.#listens) return;
    this.#leave();
    if (options.ownsListener) sys.shutdown(options.listenFd, SHUT_RD);
    // the kernel lets one more wait than backlog says
    for (let left = options.bounds.backlog; left >= 0 && this.accept(ACCEPTS);) left -= ACCEPTS;
    if (!options.ownsListener) return;
    // closes the socket, and keeps its number taken for the main thread, which will close that
    sys.dupOnto(shared.thread(options.index, THREAD.wake), options.listenFd);
  }

  /**
   * Accepts what waits, but not too many in a row: a client that comes again and again, if only to be refused,
   * must not keep the others from their turn.
   *
   * @returns whether another one may wait
   */
  accept(most: number): boolean {
    this.#renewSpare();
    for (let left = most; left > 0; left--) if (!this.#acceptOne()) return false;
    return true;
  }

  /* Returns whether another one may wait. */
  #acceptOne(): boolean {
    const { sys, options } = this.#context;
    const fd = sys.accept(options.listenFd);
    if (fd >= 0) {
      this.#isFailing = false;
      const error = this.#admission.admit(fd);
      if (error === 0) this.#turns.first(fd);
      else this.#refuse(fd, error);
      return true;
    }
    if (fd === -errno.EAGAIN) return false;
    if (fd === -errno.ECONNABORTED || fd === -errno.EINTR) return true;
    if (!isScarcity(errnoName(-fd))) this.#pause(-fd);
    else if (this.#turns.makeRoom() > 0) return true;
    else this.#useSpare(-fd);
    return false;
  }

  /*
   * Closes a connection that cannot be served, with a reason. Its request may still be on its way, but waiting
   * for it would hold up others, so the reason is sent all the same.
   */
  #refuse(fd: number, error: number): void {
    const { sys, shared, options } = this.#context;
    shared.count(options.index, COUNTER.refusedConnections);
    const length = sys.receivePacket(fd, this.#packet, REQUEST_BYTES);
    if (length === REQUEST_BYTES || length === SIGNATURE_BYTES || length === -errno.EAGAIN)
      sys.sendPacket(fd, encode({ kind: "response", error }), RESPONSE_BYTES, -1);
    sys.close(fd);
  }

  /* No descriptor is left: the spare one is given up to accept one client and tell it why; the rest wait. */
  #useSpare(error: number): void {
    const { sys, shared, options } = this.#context;
    shared.closeDescriptor(sys, options.index, THREAD.spare);
    const fd = sys.accept(options.listenFd);
    if (fd >= 0) this.#refuse(fd, error);
    this.#renewSpare();
    this.#pause(error);
  }

  /* Takes a new spare one, or tries again later: another process may have been faster, or the limit may be lower. */
  #renewSpare(): void {
    const { sys, shared, options } = this.#context;
    if (shared.thread(options.index, THREAD.spare) >= 0) return;
    shared.setThread(options.index, THREAD.spare, sys.eventfd());
  }

  #pause(error: number): void {
    this.#control(EPOLL_CTL_MOD, 0);
    this.#pausedUntil = this.#context.sys.monotonic() + PAUSE_MS;
    if (this.#isFailing) return; // said once, though it is tried ten times a second
    this.#isFailing = true;
    this.#context.say("error", "accept", forNow("accept connections", error), { errno: error });
  }
}
