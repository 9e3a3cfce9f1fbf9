import {
  EPOLLIN,
  EPOLLOUT,
  errno,
  loadSyscalls,
  NOT_YET,
  POLLIN,
  SyscallError,
} from "@xsocket/xbind-native";
import { ownError, receive, send } from "./_handover.ts";
import type { KindNumbers } from "./_kind.ts";
import { onReady } from "./_wait.ts";

/* How many requests may be under way at once on a connection: a server may have a descriptor in flight for
   each, and limits how many it has. */
const WINDOW = 16;
/* How many turns of the event loop try to receive the answer before an epoll descriptor is made to wait for it:
   an answer takes some 20 us, a turn 1 to 2, such a wait at least 30. */
const LOOKS = 50;

/** A request, and how to settle its promise. */
export interface Wanted {
  readonly kind: KindNumbers;
  /** Set once its caller has given up: a socket that still arrives for it is closed. */
  settled: boolean;
  connection: Connection | undefined;
  /** How often it was sent; a second time if the first connection was lost, maybe because of it. */
  sends: number;
  /** How many of its connections the server has closed without answering anything. */
  fruitless: number;
  readonly resolve: (fd: number) => void;
  readonly reject: (error: unknown) => void;
}

/* The open descriptors. No other code has them, so they are closed when a session is garbage-collected, and
   when a Worker ends, since its process would keep them open. */
const kept = new Set<number>();
const forgotten = new FinalizationRegistry<number>(letGo);

function keep(fd: number): void {
  if (!Bun.isMainThread) process.off("exit", letAllGo).on("exit", letAllGo); // once
  kept.add(fd);
}

function letGo(fd: number): void {
  if (kept.delete(fd)) loadSyscalls().close(fd);
}

function letAllGo(): void {
  for (const fd of kept) letGo(fd);
}

/** A kept connection to a server: many requests under way, answered in order. */
export class Connection {
  /** The effective uid that the server knows us by, for the lifetime of the connection. */
  readonly uid: number | undefined = process.geteuid?.();
  readonly #fd: number;
  readonly #lost: (connection: Connection, left: Wanted[], error: unknown) => void;
  #state: "open" | "retiring" | "closed" = "open";
  #unsent: Wanted[] = [];
  #sent: Wanted[] = [];
  #cancelWait: (() => void) | undefined;
  #looks = 0;
  #hasAnswered = false;

  /** Takes ownership of `fd`; `lost` gets what was not answered when the server goes away. */
  constructor(fd: number, lost: (connection: Connection, left: Wanted[], error: unknown) => void) {
    this.#fd = fd;
    this.#lost = lost;
    keep(fd);
    forgotten.register(this, fd, this);
  }

  /** Whether nothing is under way. */
  get idle(): boolean {
    return this.#sent.length + this.#unsent.length === 0;
  }

  /** Whether the server is gone, or has sent something unasked, which the next request would take for its answer. */
  get isOutOfStep(): boolean {
    return this.idle && loadSyscalls().poll(this.#fd, POLLIN, 0) !== 0;
  }

  /** Sends a request now, or as soon as there is room. */
  add(wanted: Wanted): void {
    wanted.connection = this;
    this.#unsent.push(wanted);
    this.#advance();
  }

  /** Receives the answers that have arrived. */
  look(): void {
    this.#cancelWait?.();
    this.#cancelWait = undefined;
    this.#receiveAll();
  }

  /** To be called when a caller gives up. Once all sent requests are given up, so is the connection. */
  onGivenUp(): void {
    if (this.#sent.length > 0 && this.#sent.every(({ settled }) => settled))
      this.#lost(this, this.close(), new SyscallError("receive", errno.ETIMEDOUT));
  }

  /** Takes no more requests and closes once those under way are answered. */
  retire(): void {
    this.#state = "retiring";
    if (this.idle) this.close();
  }

  /** Closes it now. Returns the requests that were not answered. */
  close(): Wanted[] {
    if (this.#state === "closed") return [];
    this.#state = "closed";
    this.#cancelWait?.();
    forgotten.unregister(this);
    letGo(this.#fd);
    const left = [...this.#sent, ...this.#unsent].filter(({ settled }) => !settled);
    this.#sent = [];
    this.#unsent = [];
    return left;
  }

  #fail(error: unknown): void {
    const left = this.close();
    if (!this.#hasAnswered) for (const wanted of left) wanted.fruitless++;
    this.#lost(this, left, error);
  }

  /* Does all that can be done without waiting, then waits for the next thing. */
  #advance(): void {
    try {
      this.#sendAll();
      this.#watch();
    } catch (error) {
      this.#fail(error);
    }
  }

  #sendAll(): void {
    while (this.#sent.length < WINDOW) {
      const next = this.#unsent[0];
      if (next === undefined) return;
      if (!next.settled && !this.#sendOne(next)) return;
      this.#unsent.shift();
    }
  }

  #sendOne(wanted: Wanted): boolean {
    try {
      send(this.#fd, wanted.kind);
      wanted.sends++;
    } catch (error) {
      if (error instanceof SyscallError && error.errno === errno.EAGAIN) return false;
      wanted.sends++;
      throw error;
    }
    this.#sent.push(wanted);
    return true;
  }

  #watch(): void {
    if (this.idle && this.#state === "retiring") this.close();
    this.onGivenUp(); // all that are left may be given up
    if (this.idle || this.#cancelWait !== undefined) return;
    const awake = (): void => this.look();
    if (this.#sent.length > 0 && this.#looks++ < LOOKS) {
      const turn = setImmediate(awake);
      this.#cancelWait = () => clearImmediate(turn);
    } else {
      this.#cancelWait = onReady(this.#fd, this.#sent.length > 0 ? EPOLLIN : EPOLLOUT, awake);
    }
  }

  #receiveAll(): void {
    for (let head = this.#sent[0]; head !== undefined; head = this.#sent[0]) {
      const rc = receive(this.#fd, head.kind, 0);
      if (rc === NOT_YET) break;
      const own = ownError(rc);
      if (own === -errno.ECONNRESET || own === -errno.EBADMSG) {
        // only the first request can be the cause, so the others get one more try
        for (const behind of this.#sent.slice(1)) behind.sends--;
        return this.#fail(new SyscallError("receive", -own));
      }
      this.#sent.shift();
      this.#hasAnswered = true;
      this.#looks = 0;
      deliver(head, own || rc);
    }
    this.#advance();
  }
}

/* Gives an answer to the request that waits for it; a socket that nobody waits for any more is closed. */
function deliver(wanted: Wanted, rc: number): void {
  if (wanted.settled) {
    if (rc >= 0) loadSyscalls().close(rc);
  } else if (rc >= 0) wanted.resolve(rc);
  else wanted.reject(new SyscallError("receive", -rc));
}
