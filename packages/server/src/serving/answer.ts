import {
  encode,
  REQUEST_BYTES,
  REQUEST_SIGNATURE,
  RESPONSE_BYTES,
  SIGNATURE_BYTES,
  SOCK_TYPE_MASK,
  STATUS_REQUEST_SIGNATURE,
} from "@xsocket/protocol";
import { errno } from "@xsocket/xbind-native";
import { UNREAD } from "../memory/flight.ts";
import { COUNTER, COUNTER_GROUP, FIELD, THREAD } from "../memory/memory.ts";
import { latencyCounter, refusalCounter, socketCounter } from "../stats.ts";
import { readStatus } from "../status.ts";
import { Closes } from "./closes.ts";
import type { Connections } from "./connections.ts";
import { Elsewhere } from "./elsewhere.ts";
import type { Refusal, SocketRequest } from "./judge.ts";
import type { Peer } from "./peer.ts";
import { Reporter } from "./reporter.ts";
import { Room } from "./room.ts";
import { Sockets } from "./sockets.ts";
import { Stamp } from "./stamp.ts";
import type { Context } from "./thread.ts";

/** How a turn of a connection went: answered, nothing there yet, or over. */
export const TURN = { answered: 0, waiting: 1, over: 2 } as const;

/** Reads requests and answers them. */
export class Answerer {
  readonly #context: Context;
  readonly #connections: Connections;
  readonly #peer: Peer;
  readonly #packet = new Uint8Array(new ArrayBuffer(REQUEST_BYTES));
  readonly #view = new DataView(this.#packet.buffer);
  readonly #responses = new Map<number, Uint8Array<ArrayBuffer>>();
  readonly #request: SocketRequest = { kind: "socket", domain: 0, type: 0, protocol: 0 };
  readonly #reporter: Reporter;
  readonly #sockets: Sockets;
  readonly #closes: Closes;
  readonly #room: Room;
  readonly #stamp: Stamp;
  readonly #endGone: () => number;
  readonly #elsewhere: Elsewhere;

  /** @param endGone closes connections whose clients have gone, and tells how many; they count until then */
  constructor(context: Context, connections: Connections, peer: Peer, endGone: () => number) {
    this.#context = context;
    this.#connections = connections;
    this.#peer = peer;
    this.#reporter = new Reporter(context, peer, this.#request);
    this.#sockets = new Sockets(context.sys);
    this.#closes = new Closes(context.sys);
    this.#room = new Room(context, connections);
    this.#stamp = new Stamp(context);
    this.#endGone = endGone;
    this.#elsewhere = new Elsewhere(context, (gone, isUnchanged) =>
      context.judge.ended(gone, isUnchanged),
    );
  }

  /** Reads one request of a connection and answers it. */
  turn(fd: number): number {
    const { sys, shared, options } = this.#context;
    const length = sys.receivePacket(fd, this.#packet, REQUEST_BYTES);
    if (length === -errno.EAGAIN || length === -errno.EINTR) return TURN.waiting;
    if (length < 0) this.#connections.sayClosed("its request cannot be read", "recvfrom", -length);
    if (length <= 0) return TURN.over;
    const start = sys.monotonic();
    const isRequest = length === REQUEST_BYTES && this.#view.getUint32(0) === REQUEST_SIGNATURE;
    if (isRequest) shared.count(options.index, COUNTER.requests);
    const isAnswered = isRequest ? this.#answer(fd) : this.#answerOther(fd, length);
    const end = sys.monotonic();
    shared.touch(fd, end); // the time to receive the reply begins now, however long this took
    if (isRequest) this.#countTime(end - start);
    return isAnswered ? TURN.answered : TURN.over;
  }

  #countTime(milliseconds: number): void {
    const { shared, options } = this.#context;
    shared.count(options.index, latencyCounter(milliseconds));
    shared.count(options.index, COUNTER_GROUP.latencySum, milliseconds);
  }

  /* Handles anything but a request: a status request from a client that may send one, else the connection ends. */
  #answerOther(fd: number, length: number): boolean {
    const { shared, options, judge } = this.#context;
    const isQuestion =
      length === SIGNATURE_BYTES && this.#view.getUint32(0) === STATUS_REQUEST_SIGNATURE;
    this.#peer.pointAt(fd);
    if (isQuestion && judge.showsStatus(this.#peer, options.uid)) return this.#sendStatus(fd);
    shared.count(options.index, COUNTER.malformed);
    this.#reporter.notAnswered(this.#packet, length);
    return false;
  }

  #sendStatus(fd: number): boolean {
    const { sys, shared, options, judge } = this.#context;
    const status = readStatus(sys, shared, options, judge.policy);
    const json = new TextEncoder().encode(JSON.stringify(status));
    const bytes = encode({ kind: "status-response", json });
    if (sys.sendPacket(fd, bytes, bytes.byteLength, -1) < 0) return false;
    shared.flight.setUnread(fd, UNREAD.plain);
    return true;
  }

  #answer(fd: number): boolean {
    const request = this.#request;
    request.domain = this.#view.getInt32(4);
    request.type = this.#view.getInt32(8);
    request.protocol = this.#view.getInt32(12);
    this.#peer.pointAt(fd);
    const { judge } = this.#context;
    let error = judge.decide(this.#peer, request);
    if (error !== 0 && judge.refusal === "connections") error = this.#decideAgain(fd);
    if (error !== 0)
      return judge.refusal ? this.#deny(fd, error, judge.refusal) : this.#notMade(fd, error);
    if (!this.#isRoomFor(fd)) return this.#tooMany(fd, "sockets in flight");
    const { domain, type } = request;
    if (this.#closes.holdsBack(this.#peer.uid, domain, type))
      return this.#tooMany(fd, "slow closes of sockets in flight");
    return this.#handOver(fd);
  }

  /* A quota of connections refuses only when those that are over have been taken out of it. */
  #decideAgain(fd: number): number {
    const { shared, judge } = this.#context;
    const account = shared.get(fd, FIELD.account);
    for (;;) {
      const mayHelp = this.#endGone() > 0 || this.#elsewhere.finds(account, 1);
      const error = judge.decide(this.#peer, this.#request);
      if (error === 0 || judge.refusal !== "connections") return error;
      if (mayHelp) continue;
      this.#elsewhere.pause(account);
      return error;
    }
  }

  #isRoomFor(fd: number): boolean {
    while (!this.#room.isFor(fd)) if (this.#endGone() === 0) return false;
    return true;
  }

  #tooMany(fd: number, reason: string): boolean {
    this.#reporter.tooMany(fd, reason);
    return this.#fail(fd, errno.ETOOMANYREFS, COUNTER.refusedInFlight);
  }

  #deny(fd: number, error: number, refusal: Refusal): boolean {
    this.#reporter.denied(fd, error, refusal);
    return this.#fail(fd, error, refusalCounter(refusal));
  }

  /* socket(2) has failed, or is known to fail. */
  #notMade(fd: number, error: number): boolean {
    this.#reporter.notMade(fd, error);
    return this.#fail(fd, error, COUNTER.failed);
  }

  /* Answers with an error. False when the client has gone. */
  #fail(fd: number, error: number, counter: number): boolean {
    const { sys, shared, options } = this.#context;
    shared.count(options.index, counter);
    const sent = sys.sendPacket(fd, this.#response(error), RESPONSE_BYTES, -1);
    if (sent < 0) {
      this.#connections.sayClosed("its client cannot be answered", "sendmsg", -sent);
      return false;
    }
    shared.flight.setUnread(fd, UNREAD.plain);
    return true;
  }

  /* Made once for each errno, so that failing requests leave no garbage. */
  #response(error: number): Uint8Array<ArrayBuffer> {
    const made = this.#responses.get(error);
    if (made) return made;
    const bytes = encode({ kind: "response", error });
    this.#responses.set(error, bytes);
    return bytes;
  }

  #handOver(fd: number): boolean {
    const { sys, shared, options } = this.#context;
    const { domain, type, protocol } = this.#request;
    const { uid } = this.#peer;
    const socket = this.#sockets.make(domain, type, protocol);
    if (socket < 0) return this.#notMade(fd, -socket);
    shared.setThread(options.index, THREAD.scratch, socket);
    this.#stamp.put(socket, fd);
    this.#reporter.granting(fd);
    const sent = sys.sendPacket(fd, this.#response(0), RESPONSE_BYTES, socket);
    this.#closes.close(socket, fd, uid, domain, type, sent >= 0);
    shared.setThread(options.index, THREAD.scratch, -1);
    if (sent < 0) return this.#undelivered(fd, -sent);
    shared.flight.setUnread(fd, UNREAD.socket);
    shared.count(options.index, socketCounter(domain, type & SOCK_TYPE_MASK));
    this.#reporter.granted();
    return true;
  }

  /* The client is gone, or the kernel takes the answer but not the socket (too many in flight, no memory). */
  #undelivered(fd: number, error: number): boolean {
    this.#reporter.undelivered(fd, error);
    return this.#fail(fd, error, COUNTER.failed);
  }
}
