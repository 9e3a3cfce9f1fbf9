/*
 * Which new connections are served: those within the bounds.
 *
 * How it works: a connection counts, for its user and in all, until it is closed, so some that count may be over. At
 * a bound, a new one has room
 *
 * - if clients of this thread's connections have gone, which closes these (turns.ts)
 * - else if enough connections of other threads are over, which will close them soon (elsewhere.ts)
 * - else by closing the one that has been idle for longest (idle.ts): of the same user at the bound of a user, or
 *   where the user has many already (bounds.ts), and of anybody for others
 */
import { errno } from "@xsocket/xbind-native";
import { limitFor } from "../bounds.ts";
import { FIELD } from "../memory/memory.ts";
import type { Connections } from "./connections.ts";
import { Elsewhere } from "./elsewhere.ts";
import { Idle } from "./idle.ts";
import { describePeer, type Peer } from "./peer.ts";
import type { Context } from "./thread.ts";
import type { Turns } from "./turns.ts";

/* Connections of root and the server's own user beyond maxConnections, so that they can still ask for the status. */
const SPARE_CONNECTIONS = 8;

/** Decides which new connections are served. */
export class Admission {
  readonly #context: Context;
  readonly #connections: Connections;
  readonly #peer: Peer;
  readonly #turns: Pick<Turns, "makeRoom">;
  readonly #elsewhere: Elsewhere;
  readonly #idle: Idle;

  constructor(
    context: Context,
    connections: Connections,
    peer: Peer,
    turns: Pick<Turns, "makeRoom">,
  ) {
    this.#context = context;
    this.#connections = connections;
    this.#peer = peer;
    this.#turns = turns;
    this.#idle = new Idle(context, connections);
    this.#elsewhere = new Elsewhere(context);
  }

  /**
   * Opens a connection that was accepted, if it is within the bounds. Its descriptor stays the caller's if not.
   *
   * @returns 0 for one that is open now, else the error for its client
   */
  admit(fd: number): number {
    const { shared, options } = this.#context;
    if (fd >= shared.descriptors) return this.#beyond(fd);
    const error = this.#peer.read(fd);
    if (error < 0) return this.#unknown(-error);
    this.#connections.open(fd);
    const account = shared.get(fd, FIELD.account);
    if (!this.#hasRoom(account, "user"))
      return this.#refuse(fd, errno.EMFILE, `the user has ${options.bounds.maxConnectionsPerUid}`);
    if (!this.#hasRoom(account, "all") && !this.#fitsSpare(fd))
      return this.#refuse(fd, errno.ENFILE, `there are ${this.#limit(account)}`);
    return 0;
  }

  /* Whether the newcomer is within the bound of its user, or of all, or room can be made for it. */
  #hasRoom(account: number, bound: "user" | "all"): boolean {
    const { maxConnections } = this.#context.options.bounds;
    let excess: number;
    while ((excess = this.#excess(account, bound)) > 0) {
      if (this.#turns.makeRoom() > 0) continue;
      const whose = bound === "all" && this.#limit(account) === maxConnections ? -1 : account;
      if (this.#elsewhere.finds(whose, excess)) return true;
      if (this.#excess(account, bound) < excess) continue; // another thread has closed some meanwhile
      this.#elsewhere.pause(whose);
      return this.#idle.evict(whose, excess);
    }
    return true;
  }

  /* How many connections there are too many. */
  #excess(account: number, bound: "user" | "all"): number {
    const { shared, options } = this.#context;
    const { maxConnections, maxConnectionsPerUid } = options.bounds;
    if (bound === "all") return shared.connections() - this.#limit(account);
    if (maxConnectionsPerUid >= maxConnections) return 0; // maxConnections is the bound to name
    return shared.connectionsOf(account) - maxConnectionsPerUid;
  }

  /* The connections up to which one of this account is served; it counts already. */
  #limit(account: number): number {
    const { shared, options } = this.#context;
    const own = shared.connectionsOf(account) - 1;
    return limitFor(own, shared.connections() - 1, options.bounds.maxConnections);
  }

  /* Happens only in a program that itself has very many descriptors open. */
  #beyond(fd: number): number {
    const { shared } = this.#context;
    this.#context.say(
      "warning",
      "bound",
      `refused a connection: its descriptor would be number ${fd}, and this server has room for numbers below ${shared.descriptors}. Give it a larger maxConnections, or a process of its own`,
      { descriptor: fd },
    );
    return errno.ENFILE;
  }

  #unknown(error: number): number {
    this.#connections.sayClosed("the kernel does not say whose it is", "getsockopt", error);
    return errno.EIO;
  }

  #fitsSpare(fd: number): boolean {
    const { shared, options } = this.#context;
    this.#peer.pointAt(fd);
    const { maxConnections } = options.bounds;
    return (
      this.#peer.isTrusted(options.uid) &&
      shared.connections() <= maxConnections + SPARE_CONNECTIONS
    );
  }

  #refuse(fd: number, error: number, full: string): number {
    const { shared } = this.#context;
    this.#connections.disown(fd);
    const pid = shared.get(fd, FIELD.pid);
    const uid = shared.get(fd, FIELD.uid) >>> 0;
    const message = `refused ${describePeer(pid, uid)}: ${full} connections already`;
    this.#context.say("warning", "bound", message, { pid, uid });
    return error;
  }
}
