/*
 * The connections of an http server. Bun's http server ignores a descriptor and listens somewhere else, so a
 * net server accepts and feeds it, and the http server's close(), address() and the like have to ask that one.
 */
import * as http from "node:http";
import * as net from "node:net";
import { isHeldBack, isUnref, keepForReader } from "./_bun.ts";
import { LONGEST_MS } from "./_deadline.ts";

/* The first argument is a request, or an error; the second the response, or for other events the connection. */
type Listener = (
  first: http.IncomingMessage & Error,
  second: http.ServerResponse & net.Socket,
) => void;

/* How much longer than keepAliveTimeout a connection is kept, as in Node, so that a request that comes in the last
   moment is still answered. */
const KEPT_LONGER_MS = 1000;

/* A body that nobody reads must not fill the memory. Bun resumes the connection of a request that is read, but
   pauses only connections of its own listener. */
function pauseWhenFull(request: http.IncomingMessage): void {
  const { socket } = request;
  const push = request.push.bind(request);
  const goOn = (): void => void (isHeldBack(socket) || socket.resume());
  request.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
    if (request.readableFlowing) keepForReader(request);
    const hasRoom = push(chunk, encoding);
    if (chunk === null) goOn(); // for the next request
    else if (!hasRoom && !request.destroyed) socket.pause();
    return hasRoom;
  };
  request.once("close", goOn); // a handler that breaks off has no use for the rest of the body
}

/** The connections that were given to a server, but for upgraded ones, which are the handler's. The server's own
    time limits apply to them, in milliseconds, 0 for none. */
export class Connections {
  readonly #server: http.Server;
  readonly #open = new Set<net.Socket>();
  /* How many requests of each are under way: a client may send several without waiting for answers. */
  readonly #busy = new Map<net.Socket, number>();
  readonly #timers = new WeakMap<net.Socket, NodeJS.Timeout>();
  readonly #watched = new Map<string, Listener>();
  readonly #gone = Promise.withResolvers<void>();
  #drains = false;

  constructor(server: http.Server) {
    this.#server = server;
    this.#listen("request", this.#onRequest);
    for (const event of server.eventNames()) this.#watch(event);
    server.on("newListener", this.#watch).on("removeListener", this.#unwatch);
  }

  readonly #onRequest: Listener = (request, response) => {
    const { socket } = request;
    if (!this.#open.has(socket)) return; // the server's own listener accepted it
    this.#busy.set(socket, (this.#busy.get(socket) ?? 0) + 1);
    const { requestTimeout } = this.#server;
    this.#limit(socket, requestTimeout, () => !request.complete);
    pauseWhenFull(request);
    const due = requestTimeout > 0 ? performance.now() + requestTimeout : Infinity;
    response.once("close", () => this.#onAnswered(socket, request, due));
  };

  #onAnswered(socket: net.Socket, request: http.IncomingMessage, due: number): void {
    const left = (this.#busy.get(socket) ?? 1) - 1;
    if (left > 0) return void this.#busy.set(socket, left);
    this.#busy.delete(socket);
    if (!this.#open.has(socket)) return; // it is closed: a timer would only keep it in memory
    this.#limitIdle(socket, request, due);
    if (this.#drains) socket.end();
  }

  /* A connection is not idle while the body of an answered request still arrives, within requestTimeout. */
  #limitIdle(socket: net.Socket, last: http.IncomingMessage, due: number): void {
    const { complete } = last;
    const { bytesRead } = socket;
    const { keepAliveTimeout } = this.#server;
    this.#limit(socket, keepAliveTimeout > 0 ? keepAliveTimeout + KEPT_LONGER_MS : 0, () => {
      const isIdle = complete || socket.bytesRead === bytesRead;
      const isLate = isIdle || performance.now() > due;
      if (!isLate) this.#limitIdle(socket, last, due);
      return isLate;
    });
  }

  /* Closes a connection that takes longer than this for its next step, as Bun does with those of its listener. */
  #limit(socket: net.Socket, ms: number, isLate = () => true): void {
    clearTimeout(this.#timers.get(socket));
    if (!(ms > 0)) return;
    const end = (): void => void (isLate() && socket.destroy());
    this.#timers.set(socket, setTimeout(end, Math.min(ms, LONGEST_MS)).unref());
  }

  #limitSilence(socket: net.Socket): void {
    if (!(this.#server.timeout > 0)) return;
    socket.setTimeout(this.#server.timeout, () => {
      if (this.#open.has(socket) && !this.#server.emit("timeout", socket)) socket.destroy();
    });
  }

  #listen(event: string, listener: Listener): void {
    this.#watched.set(event, listener);
    this.#server.prependListener(event, listener);
  }

  /* Listens only where the user does as well: a server without listeners answers such requests itself. */
  readonly #watch = (event: unknown): void => {
    if (typeof event !== "string" || this.#watched.has(event)) return;
    if (event === "checkContinue" || event === "checkExpectation")
      return this.#listen(event, this.#onRequest);
    if (event !== "upgrade" && event !== "connect" && event !== "clientError") return;
    this.#listen(event, (_, socket) => {
      socket.setDefaultEncoding("utf8"); // the default, for what the handler writes
      if (event === "clientError") return;
      this.#open.delete(socket);
      this.#limit(socket, 0);
    });
  };

  readonly #unwatch = (event: string): void => {
    const ours = event === "request" ? undefined : this.#watched.get(event);
    if (!ours || this.#server.listenerCount(event) > 1) return;
    this.#watched.delete(event);
    this.#server.off(event, ours);
  };

  add(socket: net.Socket): void {
    this.#open.add(socket);
    socket.setDefaultEncoding("latin1"); // Bun writes heads as strings, one byte for each character
    this.#limit(socket, this.#server.headersTimeout);
    this.#limitSilence(socket);
    socket.once("close", () => {
      this.#open.delete(socket);
      this.#limit(socket, 0);
      this.#endIfGone();
    });
  }

  /* Removes the listeners: if the server listens again, it gets new ones. */
  #endIfGone(): void {
    if (!this.#drains || this.#open.size > 0) return;
    this.#server.off("newListener", this.#watch).off("removeListener", this.#unwatch);
    for (const [event, listener] of this.#watched) this.#server.off(event, listener);
    this.#gone.resolve();
  }

  /** Closes the idle ones now and the others once their answer is sent. Resolves when all are gone. */
  drain(): Promise<void> {
    this.#drains = true;
    this.#server.closeIdleConnections();
    this.#endIfGone();
    return this.#gone.promise;
  }

  destroy(): void {
    for (const socket of this.#open) socket.destroy();
  }
}

/** Makes a net server that gives its connections to an http server, whose close(), address() and the like are then
    about the net server. */
export function feed(server: http.Server): net.Server {
  const connections = new Connections(server);
  const acceptor = net.createServer({ allowHalfOpen: true }, (socket) => {
    connections.add(socket);
    server.emit("connection", socket);
  });
  if (isUnref(server)) acceptor.unref();
  const closeBoth = (done?: (error?: Error) => void): http.Server => {
    acceptor.close(done);
    void connections.drain();
    http.Server.prototype.close.call(server); // ends Bun's own timer, which would keep it in memory
    return server;
  };
  acceptor.on("listening", () => void server.emit("listening"));
  acceptor.on("drop", (connection) => void server.emit("drop", connection));
  acceptor.once("close", () => void server.emit("close"));
  Object.defineProperty(acceptor, "maxConnections", { get: () => server.maxConnections });
  const asked = {
    close: closeBoth,
    address: () => acceptor.address(),
    getConnections: (done: (error: Error | null, count: number) => void) =>
      void acceptor.getConnections(done),
    ref: () => (acceptor.ref(), server),
    unref: () => (acceptor.unref(), server),
    // While the net server listens it refuses this; once closed, the http server is as it was before.
    listen: (...place: []): net.Server => {
      if (acceptor.listening) return acceptor.listen(...place);
      for (const name of ["listening", ...Object.keys(asked)]) Reflect.deleteProperty(server, name);
      return server.listen(...place);
    },
  };
  Object.assign(server, asked);
  Object.defineProperty(server, "listening", { get: () => acceptor.listening, configurable: true });
  return acceptor;
}
