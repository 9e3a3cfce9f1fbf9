import { limitFor } from "../bounds.ts";
import { FIELD } from "../memory/memory.ts";
import type { Connections } from "./connections.ts";
import type { Context } from "./thread.ts";

/** Tells whether one more socket may be in flight. */
export class Room {
  readonly #context: Context;
  readonly #connections: Connections;

  constructor(context: Context, connections: Connections) {
    this.#context = context;
    this.#connections = connections;
  }

  /**
   * Whether a connection's user may have one more. At a bound, the kernel is first asked which still are in flight.
   * One of another user that is not any more makes room only if the last quarter is not kept from this user.
   */
  isFor(fd: number): boolean {
    const { shared, options } = this.#context;
    const account = shared.get(fd, FIELD.account);
    const connections = this.#connections;
    if (!this.#fitsUser(account) && !connections.recount(account) && !this.#fitsUser(account))
      return false;
    if (this.#fits(account) || connections.recount(account)) return true;
    if (connections.recount(-1) && this.#limit(account) === options.bounds.maxInFlight) return true;
    return this.#fits(account);
  }

  #fits(account: number): boolean {
    return this.#context.shared.flight.inFlight() < this.#limit(account);
  }

  #limit(account: number): number {
    const { shared, options } = this.#context;
    const { maxInFlight } = options.bounds;
    return limitFor(shared.inFlightOf(account), shared.flight.inFlight(), maxInFlight);
  }

  #fitsUser(account: number): boolean {
    const { shared, options } = this.#context;
    return shared.inFlightOf(account) < options.bounds.maxInFlightPerUid;
  }
}
