import { POLLHUP, POLLIN, POLLRDHUP, type Syscalls } from "@xsocket/xbind-native";
import { STATE } from "../memory/memory.ts";
import type { Connections } from "./connections.ts";

const MAX = 64; // descriptors in one call

/**
 * New connections whose first request has been answered. Most clients want nothing more and are
 * gone when all that wait to be accepted have had their turn, so they are looked at together, by
 * one system call: those that have gone never enter epoll.
 */
export class Newcomers {
  readonly #sys: Syscalls;
  readonly #connections: Connections;
  readonly #serve: (fd: number) => void;
  readonly #pairs = new Int32Array(new ArrayBuffer(MAX * 8));
  #count = 0;

  /** @param serve takes on a connection that has something to read; it does not throw */
  constructor(sys: Syscalls, connections: Connections, serve: (fd: number) => void) {
    this.#sys = sys;
    this.#connections = connections;
    this.#serve = serve;
  }

  add(fd: number): void {
    if (this.#count === MAX) this.settle();
    this.#pairs[2 * this.#count] = fd;
    this.#pairs[2 * this.#count + 1] = POLLIN | POLLRDHUP;
    this.#count++;
  }

  /** Closes those that have gone, and lets the others wait or have their next turn. Returns how many have gone. */
  settle(): number {
    return this.#look(false);
  }

  /** Closes those that have gone, and leaves the others. Returns how many have gone. */
  endGone(): number {
    return this.#look(true);
  }

  #look(keepsOthers: boolean): number {
    const count = this.#count;
    if (count === 0) return 0;
    this.#count = 0;
    this.#sys.pollMany(this.#pairs, count);
    let gone = 0;
    for (let i = 0; i < count; i++) {
      const fd = this.#pairs[2 * i] ?? -1;
      const events = this.#pairs[2 * i + 1] ?? 0;
      if ((events & POLLHUP) !== 0) gone += this.#connections.end(fd) ? 1 : 0;
      else if (keepsOthers) this.add(fd);
      else if (events === 0) this.#connections.release(fd, STATE.idle);
      else this.#serve(fd);
    }
    return gone;
  }
}
