import { SOCK_TYPE_MASK } from "@xsocket/protocol";
import type { Syscalls } from "@xsocket/xbind-native";
import { isInet, isStreamOrDatagram } from "../policy/match.ts";
import { hasHungUp, isReceived } from "./connections.ts";
import { Recent } from "./recent.ts";

const SLOW_MS = 4;
const PRICE = 100; // times as long as a close took
const PRICE_MAX_MS = 1000; // the thread may have lost its processor meanwhile
const PRICE_OF_ALL = 10; // the same for all users together: one may be many, by subordinate ids
const CREDIT_MS = 5000; // for a program that opens and closes some of them

/* Closing these takes no time. */
function isOrdinary(domain: number, type: number): boolean {
  return isInet(domain) && isStreamOrDatagram(type & SOCK_TYPE_MASK);
}

/**
 * Closes the server's copies of sockets. For most that takes no time. But the last close of a packet socket
 * waits 10 ms and more within the kernel, and the server's copy is the last where the client did not take
 * its own. A user who may ask for packet sockets could hold a thread up with that for as long as they like.
 * So each slow close makes its user owe a multiple of the time that it took, and one who owes too much gets no
 * such socket until enough of it has passed. Nor does anybody while all users together owe too much.
 */
export class Closes {
  readonly #sys: Syscalls;
  readonly #until = new Recent<number>(); // when each user's debt is paid
  #untilOfAll = 0; // when the debt of all together is paid

  constructor(sys: Syscalls) {
    this.#sys = sys;
  }

  /** Whether a user has to wait before the next socket of this kind. */
  holdsBack(uid: number, domain: number, type: number): boolean {
    if (isOrdinary(domain, type)) return false;
    const until = Math.max(this.#until.get(uid) ?? 0, this.#untilOfAll);
    return this.#sys.monotonic() + CREDIT_MS < until;
  }

  /**
   * Closes the server's copy of a socket, and charges its user if that took long.
   *
   * @param connection the client's. If the reply with the client's copy waits there, and it is still open afterwards,
   * ours was not the last copy: a slow close only means that the thread lost its processor. A reply that was sent and
   * does not wait there was dropped by a filter of the client's socket, or was received
   * @param isSent false where the client could not be sent its copy, as one that has hung up
   */
  close(
    socket: number,
    connection: number,
    uid: number,
    domain: number,
    type: number,
    isSent: boolean,
  ): void {
    if (isOrdinary(domain, type)) return void this.#sys.close(socket);
    const isQueued = isSent && !isReceived(this.#sys, connection);
    const start = this.#sys.monotonic();
    this.#sys.close(socket);
    const end = this.#sys.monotonic();
    if (end - start < SLOW_MS) return;
    if (isQueued && !hasHungUp(this.#sys, connection)) return;
    this.#charge(uid, end, end - start);
  }

  #charge(uid: number, now: number, took: number): void {
    const owed = Math.max(this.#untilOfAll, now) + took * PRICE_OF_ALL;
    this.#untilOfAll = Math.min(owed, now + CREDIT_MS + PRICE_MAX_MS);
    const price = Math.min(took * PRICE, PRICE_MAX_MS);
    this.#until.set(uid, Math.max(this.#until.get(uid) ?? 0, now) + price);
  }
}
