/*
 * The turns of connections.
 *
 * How it works: a connection is taken out of its waiting state, one request of it is answered, and
 * it waits again or ends. New connections that have been answered are looked at together
 * (newcomers.ts). Before a bound or a quota refuses anything, those that have gone meanwhile are
 * closed, so that nobody is refused for what is over. What is thrown meanwhile ends that connection alone.
 */
import { EPOLLHUP, POLLIN, SHUT_RD } from "@xsocket/xbind-native";
import { FIELD, STATE, THREAD } from "../memory/memory.ts";
import { Answerer, TURN } from "./answer.ts";
import { type Connections, hasHungUp } from "./connections.ts";
import { Crowd } from "./crowd.ts";
import { Fairness } from "./fairness.ts";
import { Newcomers } from "./newcomers.ts";
import type { Peer } from "./peer.ts";
import type { Context } from "./thread.ts";

const LOOKED_AT = 64; // events in one look for clients that have gone

function isWaiting(state: number): boolean {
  return (
    state === STATE.idle ||
    state === STATE.fresh ||
    state === STATE.stuck ||
    state === STATE.lingering
  );
}

/** Gives the connections of one thread their turns. */
export class Turns {
  readonly #context: Context;
  readonly #connections: Connections;
  readonly #answerer: Answerer;
  readonly #newcomers: Newcomers;
  readonly #crowd: Crowd;
  readonly #fairness: Fairness;
  readonly #ready = new Uint32Array(new ArrayBuffer(LOOKED_AT * 8));

  constructor(context: Context, connections: Connections, peer: Peer) {
    const { sys, shared } = context;
    this.#context = context;
    this.#connections = connections;
    this.#answerer = new Answerer(context, connections, peer, () => this.endGone());
    this.#newcomers = new Newcomers(sys, connections, (fd) => this.#serveGuarded(fd));
    this.#crowd = new Crowd(() => sys.monotonic());
    this.#fairness = new Fairness(
      (account) => shared.connectionsOf(account) === shared.connections(),
    );
  }

  /** Begins a step of the loop. Where it is crowded, users share the turns. */
  begin(isCrowded: boolean): void {
    this.#fairness.begin(isCrowded);
  }

  /** Ends a step. Returns whether connections that are kept open have waited for each other for a while. */
  isCrowdLasting(): boolean {
    return this.#crowd.isLasting();
  }

  /**
   * Gives a connection its turn. The event may be about one that was closed since the wait, for example evicted,
   * and its number may be that of another client by now, in this thread or, as the owner tells, in another.
   */
  event(fd: number, events: number): void {
    const { sys, shared } = this.#context;
    const state = this.#waitingState(fd);
    if (state === STATE.free) return; // one that is to move or to be evicted is in an inbox, which is looked at next
    const hasTurn = this.#fairness.take(shared.get(fd, FIELD.account));
    if (!hasTurn && (state === STATE.idle || state === STATE.fresh)) return; // the next wait has it again
    if (!shared.change(fd, state, STATE.busy)) return;
    try {
      if (state === STATE.lingering) this.#linger(fd);
      else if (!hasTurn) this.#passOver(fd);
      else if ((events & EPOLLHUP) !== 0 && hasHungUp(sys, fd)) this.#connections.end(fd);
      else this.#serve(fd, state === STATE.fresh);
    } catch (error) {
      this.failed(error, fd);
    }
  }

  /** Gives a new connection its first turn. It waits for settle() where it has been answered. Does not throw. */
  first(fd: number): void {
    try {
      const turn = this.#answerer.turn(fd);
      if (turn === TURN.over) this.#connections.end(fd);
      else if (turn === TURN.waiting) this.#connections.release(fd, STATE.fresh);
      else this.#newcomers.add(fd);
    } catch (error) {
      this.failed(error, fd);
    }
  }

  /** Lets new connections that have been answered go on or end. */
  settle(): void {
    this.#newcomers.settle();
  }

  /**
   * Closes connections whose clients have gone by now, since others would be refused for them. Begins no turn, so it
   * may be called in the middle of one.
   *
   * @returns how many
   */
  endGone(): number {
    return this.#newcomers.endGone() + this.#endReady();
  }

  /** The same between turns: also lets new connections that have been answered go on, so that idle ones can be evicted. */
  makeRoom(): number {
    return this.#newcomers.settle() + this.#endReady();
  }

  /**
   * Gives a connection a last turn, and closes it.
   *
   * @returns whether it stays open, since its client has requests left to be answered, or has not asked yet
   */
  last(fd: number): boolean {
    const { shared, sys } = this.#context;
    const state = this.#waitingState(fd);
    if (state === STATE.free || !shared.change(fd, state, STATE.busy)) return false;
    const turn = this.#lastTurn(fd, state);
    if (turn === TURN.waiting && state === STATE.fresh) {
      this.#connections.release(fd, STATE.fresh);
      return true;
    }
    if (turn === TURN.answered && (sys.poll(fd, POLLIN, 0) & POLLIN) !== 0) {
      this.#connections.release(fd, STATE.stuck);
      return true;
    }
    this.#connections.close(fd);
    return false;
  }

  #lastTurn(fd: number, state: number): number {
    if (state === STATE.lingering) return TURN.over;
    return this.#connections.isUnread(fd) ? TURN.answered : this.#answerer.turn(fd);
  }

  /** Closes a connection after its last turn, in such a way that its client gets the reply and not ECONNRESET. */
  cut(fd: number): void {
    const { shared, sys } = this.#context;
    const state = this.#waitingState(fd);
    if (state === STATE.free || !shared.change(fd, state, STATE.busy)) return;
    sys.shutdown(fd, SHUT_RD); // else others might come as fast as they are dropped
    sys.dropPackets(fd);
    this.#connections.close(fd);
  }

  /**
   * Says that something was thrown, and ends the connection whose turn it was.
   *
   * @param fd -1 if it was no connection's turn
   */
  failed(error: unknown, fd: number): void {
    const { sys, shared, options } = this.#context;
    const what = fd < 0 ? "what its thread was at" : "a connection";
    this.#context.say("error", "exception", `an exception ended ${what}: ${String(error)}`);
    shared.closeDescriptor(sys, options.index, THREAD.scratch);
    if (fd >= 0 && shared.get(fd, FIELD.state) === STATE.busy) this.#connections.end(fd);
  }

  /*
   * For a stuck connection, whose event, an edge of EPOLLOUT, does not come again. If its reply was received it is
   * idle from now on, and the next wait reports it, since its next request is there.
   */
  #passOver(fd: number): void {
    const isStuck = this.#connections.isUnread(fd);
    this.#connections.release(fd, isStuck ? STATE.stuck : STATE.idle);
  }

  #linger(fd: number): boolean {
    const isUnread = this.#connections.isUnread(fd);
    if (isUnread) this.#connections.release(fd, STATE.lingering);
    else this.#connections.close(fd);
    return !isUnread;
  }

  /* What else is ready stays so for the next wait. */
  #endReady(): number {
    const { sys, epollFd, shared } = this.#context;
    const count = sys.epollWait(epollFd, this.#ready, LOOKED_AT, 0, 0);
    let gone = 0;
    for (let i = 0; i < count; i++) {
      const fd = this.#ready[2 * i + 1] ?? 0;
      if (fd < shared.descriptors && this.#endIfGone(fd, this.#ready[2 * i] ?? 0)) gone++;
    }
    return gone;
  }

  /* The edge that a stuck or lingering one waits for does not come again. */
  #endIfGone(fd: number, events: number): boolean {
    const { shared } = this.#context;
    const state = this.#waitingState(fd);
    if (state === STATE.free) return false;
    const isGone = (events & EPOLLHUP) !== 0;
    if (!isGone && state !== STATE.stuck && state !== STATE.lingering) return false;
    if (!shared.change(fd, state, STATE.busy)) return false;
    if (state === STATE.lingering) return this.#linger(fd);
    if (isGone) return this.#connections.end(fd);
    this.#passOver(fd);
    return false;
  }

  /* The state in which a connection of this thread waits. Free if it does not wait, or is another thread's. */
  #waitingState(fd: number): number {
    const { shared, options } = this.#context;
    const state = shared.get(fd, FIELD.state); // first: the number may become another thread's meanwhile
    const isOurs = isWaiting(state) && shared.get(fd, FIELD.owner) === options.index;
    return isOurs ? state : STATE.free;
  }

  #serveGuarded(fd: number): void {
    try {
      this.#serve(fd, false);
    } catch (error) {
      this.failed(error, fd);
    }
  }

  /*
   * One request in a turn, so that a client that sends many does not hold up the others. Any but the first shows
   * that a connection is kept open, and such connections are shared among the threads.
   */
  #serve(fd: number, isFirst: boolean): void {
    if (this.#connections.isUnread(fd)) return this.#connections.release(fd, STATE.stuck);
    const turn = this.#answerer.turn(fd);
    if (turn === TURN.over) return void this.#connections.end(fd);
    if (turn === TURN.answered && !isFirst) {
      if (this.#connections.moveToQuieter(fd)) return;
      this.#crowd.served();
    }
    this.#connections.release(fd, turn === TURN.waiting && isFirst ? STATE.fresh : STATE.idle);
  }
}
