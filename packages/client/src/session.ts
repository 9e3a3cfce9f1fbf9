import * as path from "node:path";
import { DEFAULT_ADDRESS } from "@xsocket/protocol";
import { errno, SyscallError } from "@xsocket/xbind-native";
import { Connection, type Wanted } from "./_connection.ts";
import { Deadline, LIMIT_KEYS, LONGEST_MS, type Limits } from "./_deadline.ts";
import { backlogPause, checkVia, reachNow, unreached } from "./_handover.ts";
import { askedFor, KIND_KEYS, type KindNumbers, kindNumbers, type SocketKind } from "./_kind.ts";
import { wrongValue } from "./_options.ts";
import { refuseUnknown } from "./_unknown.ts";
import { settled } from "./_wait.ts";
import { failed, XSocketError } from "./error.ts";
import { OwnedSocket } from "./owned.ts";

/* The shortest time between two checks whether a busy connection has become idle, in milliseconds. */
const BUSY_MS = 100;
/* How many connections that the server closes without any answer a request may go through. Without this limit a
   server that closes every connection would cost one connection for each request. */
const FRUITLESS_MAX = 16;

const SOCKET_KEYS = [...KIND_KEYS, ...LIMIT_KEYS] as const;

/** What a {@link Session} is made with. */
export interface SessionOptions {
  /** The server's control socket: a path, or `@name`; `/run/xsocket/default` by default. */
  readonly via?: string | undefined;
  /** After how many milliseconds without a request the connection is closed; never by default. */
  readonly idleMs?: number | undefined;
}

/**
 * Keeps one connection to a server open and gets many sockets over it. Requests may overlap. The
 * connection is made at the first request. If the server restarts, the session connects again by itself and
 * sends unanswered requests once more; if this process changes its effective uid, it uses a new connection.
 * An idle session does not keep the process alive. Threads (Workers) do not share one.
 *
 * @example
 * using session = new Session({ via: "/run/xsocket/lan" });
 * using a = await session.socket({ family: 4 });
 * using b = await session.socket({ family: 6, type: "dgram" });
 */
export class Session implements Disposable {
  /** The server's control socket. */
  readonly via: string;
  readonly #idleMs: number;
  #state: "open" | "closed" = "open";
  #connection: Connection | undefined;
  /* Connections made under an earlier effective uid, with requests still under way. */
  #retired: readonly Connection[] = [];
  /* Requests that found the server's backlog full, and the timer that tries again for them. */
  readonly #waiting = new Set<Wanted>();
  #retry: NodeJS.Timeout | undefined;
  /* The timer that checks whether the connection is idle. It keeps this session in memory. */
  #look: NodeJS.Timeout | undefined;
  #usedAt = 0;

  /** @throws {XSocketError} EINVAL, ENAMETOOLONG for a `via` that is no address */
  constructor(options: SessionOptions = {}) {
    refuseUnknown("start a session", options, ["via", "idleMs"]);
    const { via = DEFAULT_ADDRESS, idleMs = Infinity } = options;
    if (typeof idleMs !== "number" || !(idleMs >= 0))
      throw wrongValue("start a session", "idleMs", idleMs, "Give milliseconds from 0 on.");
    this.via = via;
    this.#idleMs = idleMs;
    checkVia(via, "start a session");
  }

  /**
   * Gets a socket, as {@link xsocket} does.
   *
   * @throws {XSocketError} as {@link xsocket}; ECANCELED once the session is closed
   * @throws the reason of `signal` once that is aborted
   * @example
   * using socket = await session.socket({ family: 6, type: "stream", timeoutMs: 500 });
   */
  async socket(options: SocketKind & Limits = {}): Promise<OwnedSocket> {
    refuseUnknown("get a socket", options, SOCKET_KEYS);
    const kind = kindNumbers(options);
    const deadline = new Deadline(options);
    try {
      return new OwnedSocket(await this.#ask(kind, deadline), kind);
    } catch (error) {
      throw failed(error, this.via, askedFor(kind), { step: "ask" });
    }
  }

  /** Closes the connection and ends what is under way with ECANCELED. */
  close(): void {
    this.#state = "closed";
    clearTimeout(this.#look);
    const connections = [this.#connection ?? [], this.#retired].flat();
    const left = [...connections.flatMap((each) => each.close()), ...this.#waiting];
    for (const wanted of left) wanted.reject(this.#closedError(wanted));
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #ask(kind: KindNumbers, deadline: Deadline): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const wanted: Wanted = {
      kind,
      settled: false,
      connection: undefined,
      sends: 0,
      fruitless: 0,
      resolve,
      reject,
    };
    const giveUp = (reason: unknown): void => {
      wanted.settled = true; // a socket that still arrives for it is closed
      reject(reason);
      wanted.connection?.onGivenUp();
    };
    const late = (): void => {
      wanted.connection?.look(); // if this thread was blocked, the answer may be there: see whenReady
      if (this.#waiting.has(wanted)) giveUp(unreached(this.via, askedFor(kind)));
      else giveUp(new SyscallError("receive", errno.ETIMEDOUT));
    };
    this.#dispatch(wanted);
    const waited = settled({ promise, reject: giveUp }, deadline.leftMs(), deadline.signal, late);
    return waited.finally(() => this.#waiting.delete(wanted)); // once nobody is left there is no further try
  }

  /* Sends a request on the connection. A new one is made first if there is none of our uid, or it is out of step. */
  #dispatch(wanted: Wanted): void {
    if (this.#state === "closed") return wanted.reject(this.#closedError(wanted));
    this.#usedAt = performance.now();
    const connection = this.#connection;
    if (connection && connection.uid === process.geteuid?.() && !connection.isOutOfStep)
      return connection.add(wanted);
    if (connection) this.#retire(connection);
    if (this.#retry) return void this.#waiting.add(wanted);
    this.#reach(wanted, 0);
  }

  #retire(connection: Connection): void {
    connection.retire();
    this.#connection = undefined;
    this.#retired = [...this.#retired, connection].filter(({ idle }) => !idle);
  }

  /* Each request tries for itself, so that it gets its own error, until there is a connection for all. */
  #reach(wanted: Wanted, tries: number): void {
    try {
      const fd = reachNow(this.via, askedFor(wanted.kind));
      if (fd === undefined) return this.#waitForRoom(wanted, tries);
      const made = new Connection(fd, (lost, left, error) => this.#onLost(lost, left, error));
      this.#connection = made;
      this.#watchIdle(made, this.#idleMs);
      made.add(wanted);
    } catch (error) {
      wanted.reject(error);
    }
  }

  #waitForRoom(wanted: Wanted, tries: number): void {
    this.#waiting.add(wanted);
    const again = (): void => {
      this.#retry = undefined;
      const waiting = [...this.#waiting];
      this.#waiting.clear();
      for (const each of waiting) {
        if (this.#connection || this.#retry) this.#dispatch(each);
        else this.#reach(each, tries + 1);
      }
    };
    this.#retry = setTimeout(again, backlogPause(tries));
  }

  /* The server is gone, or has been restarted: ask once more what was not answered. */
  #onLost(lost: Connection, left: Wanted[], error: unknown): void {
    if (this.#connection === lost) this.#connection = undefined;
    for (const wanted of left) {
      if (wanted.sends > 1 || wanted.fruitless > FRUITLESS_MAX) wanted.reject(error);
      else this.#dispatch(wanted);
    }
  }

  #watchIdle(connection: Connection, waitMs: number): void {
    if (this.#idleMs > LONGEST_MS) return; // longer than a timer can wait, some 25 days: never
    const look = (): void => {
      if (this.#connection !== connection) return;
      if (!connection.idle) return this.#watchIdle(connection, Math.max(this.#idleMs, BUSY_MS));
      const left = this.#usedAt + this.#idleMs - performance.now();
      if (left > 0) return this.#watchIdle(connection, left);
      this.#connection = undefined;
      connection.close();
    };
    clearTimeout(this.#look); // that of an earlier connection
    this.#look = setTimeout(look, waitMs).unref();
  }

  #closedError({ kind }: Wanted): XSocketError {
    const asked = askedFor(kind);
    return new XSocketError({ code: "ECANCELED", step: "ask", server: this.via, asked });
  }
}

/* How long an implicit session keeps its connection open without use, in milliseconds. */
const SHARED_IDLE_MS = 250;
/* How many implicit sessions are remembered: a program may meet new servers for as long as it runs, one for
   each container. */
const SHARED_MAX = 1024;
const ADVICE =
  "Give the path of a control socket, @name, or a Session of this copy of the package (bun --hot loads another one).";
const shared = new Map<string, Session>();

/** The session for a `via`: the caller's own, or the implicit one that this thread has for each server. */
export function sessionFor(via: string | Session = DEFAULT_ADDRESS): Session {
  if (via instanceof Session) return via;
  checkVia(via, "start a session", ADVICE);
  // another server's in another directory; path.resolve() of a name needs none that exists
  const key = /^[/@]/.test(via) ? via : `${path.resolve("directory")} ${via}`;
  const known = shared.get(key) ?? new Session({ via, idleMs: SHARED_IDLE_MS });
  shared.delete(key); // moves it to the end: the first is the least recently used
  shared.set(key, known);
  const [oldest = key] = shared.keys();
  if (shared.size > SHARED_MAX) shared.delete(oldest); // its users can still use it
  return known;
}
