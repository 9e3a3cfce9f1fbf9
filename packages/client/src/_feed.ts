/*
 * The connections of an http server: an http server of Bun ignores a descriptor and listens somewhere
 * else, so a net server feeds it, and what is asked of the one has to be answered by the other.
 */
import type * as http from "node:http";
import * as net from "node:net";

type Listener = (request: http.IncomingMessage, response: http.ServerResponse) => void;

/** The connections that were given to a server; one that was upgraded is none of its any more. */
export class Connections {
  readonly #server: http.Server;
  readonly #open = new Set<net.Socket>();
  readonly #busy = new Set<net.Socket>();
  readonly #watched = new Map<string, Listener>();
  readonly #gone = Promise.withResolvers<void>();
  #drains = false;

  constructor(server: http.Server) {
    this.#server = server;
    this.#listen("request", ({ socket }, response) => {
      if (!this.#open.has(socket)) return; // the server's before it was closed, or after
      this.#busy.add(socket);
      response.once("close", () => {
        this.#busy.delete(socket);
        if (this.#drains) socket.end();
      });
    });
  }

  #listen(event: "request" | "upgrade" | "connect", listener: Listener): void {
    this.#watched.set(event, listener);
    this.#server.on(event, listener);
  }

  /* Only where somebody listens anyway: a server without listeners answers such requests itself. */
  #watch(event: "upgrade" | "connect"): void {
    if (this.#watched.has(event) || this.#server.listenerCount(event) === 0) return;
    this.#listen(event, ({ socket }) => this.#open.delete(socket));
  }

  add(socket: net.Socket): void {
    this.#watch("upgrade");
    this.#watch("connect");
    this.#open.add(socket);
    socket.once("close", () => {
      this.#open.delete(socket);
      this.#endIfGone();
    });
  }

  /* The server may listen again, and has others then. */
  #endIfGone(): void {
    if (!this.#drains || this.#open.size > 0) return;
    for (const [event, listener] of this.#watched) this.#server.off(event, listener);
    this.#gone.resolve();
  }

  /** Closes the idle ones now and the others once their answer is sent. Resolves when all are gone. */
  drain(): Promise<void> {
    this.#drains = true;
    this.close("idle");
    this.#endIfGone();
    return this.#gone.promise;
  }

  close(which: "all" | "idle"): void {
    for (const socket of this.#open) if (which === "all" || this.isIdle(socket)) socket.destroy();
  }

  /** Whether it waits for a request. */
  isIdle(socket: net.Socket): boolean {
    return this.#open.has(socket) && !this.#busy.has(socket);
  }
}

/** Makes the net server whose connections go to an http server, which then closes and tells as one. */
export function feed(server: http.Server): net.Server {
  const connections = new Connections(server);
  const acceptor = net.createServer((socket) => {
    connections.add(socket);
    server.emit("connection", socket);
  });
  const closeBoth = (done?: (error?: Error) => void): http.Server => {
    acceptor.close((error) => done?.(error));
    void connections.drain();
    return server;
  };
  acceptor.on("listening", () => void server.emit("listening"));
  acceptor.once("close", () => void server.emit("close"));
  Object.assign(server, {
    close: closeBoth,
    closeAllConnections: () => connections.close("all"),
    closeIdleConnections: () => connections.close("idle"),
    address: () => acceptor.address(),
    getConnections: (done: (error: Error | null, count: number) => void) =>
      void acceptor.getConnections(done),
    ref: () => (acceptor.ref(), server),
    unref: () => (acceptor.unref(), server),
  });
  Object.defineProperty(server, "listening", { get: () => acceptor.listening, configurable: true });
  return acceptor;
}
