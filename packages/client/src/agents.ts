import * as http from "node:http";
import * as https from "node:https";
import * as net from "node:net";
import { addAbortSignal, type Duplex } from "node:stream";
import * as tls from "node:tls";
import { Deadline } from "./_deadline.ts";
import { allOf, refuseKeys } from "./_options.ts";
import { THROUGH_KEYS, type Through } from "./_through.ts";
import { refuseUnknown } from "./_unknown.ts";
import { onAbort } from "./_wait.ts";
import { XSocketError } from "./error.ts";
import { nodeConnect } from "./node.ts";
import { type Session, sessionFor } from "./session.ts";

type Connected = (error: Error | null, stream: Duplex) => void;
type Wrap = (socket: net.Socket) => Duplex;

/** The key of a request's options for a signal that it needs no connection any more: node:http does not tell
    its agent. */
export const GIVEN_UP = Symbol("given up");

const REFUSED = {
  socketPath: "UNIX sockets are not those of a network namespace: leave the agent out.",
  lookup: "Names are those of the target namespace: give the agent itself a lookup.",
  family: "Give the agent itself a lookup that returns only addresses of this IP version.",
  blockList:
    "Check each address yourself, and give the agent itself a lookup that returns only allowed ones.",
  fd: "It would be a socket of the program's own: leave fd out.",
};

const REFUSED_AGENT = {
  proxyEnv: "Leave proxyEnv out: the target namespace is the way already.",
};

interface Wanted extends http.ClientRequestArgs {
  readonly [GIVEN_UP]?: AbortSignal;
  /* What node:http takes from an agent's own keepAlive and keepAliveMsecs. */
  readonly keepAlive?: boolean;
  readonly keepAliveInitialDelay?: number;
}

/* A signal's reason may be of any type, and node:http takes null and the like for no error. */
function errorOf(reason: unknown): Error {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what else is thrown is handed on as it is
  return (reason || new DOMException("The operation was aborted.", "AbortError")) as Error;
}

/* As node:net has it for a signal among its own options. */
function abortOf({ reason: cause }: AbortSignal): Error {
  const failure = new Error("The operation was aborted", { cause });
  return Object.assign(failure, { name: "AbortError", code: "ABORT_ERR" });
}

/* node:tls throws for invalid options, and the socket would stay open. */
function wrapOrClose(socket: net.Socket, wrap: Wrap): Duplex {
  try {
    return wrap(socket);
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** The error of a connection that is no longer needed, since its agent was disposed of. */
export function disposedOf(server: string): XSocketError {
  return new XSocketError({ code: "ECANCELED", step: "connect", server, asked: "connect" });
}

/* A program may wait for these events of a request's socket, which node:http takes for a new one: Bun emits none for
   a socket that is connected already. */
function announce(stream: Duplex): void {
  if (stream.destroyed) return;
  stream.emit("connect");
  stream.emit("ready");
}

/* What both agents do: a connection of the target namespace for each request that finds none kept. */
class Connector {
  readonly #through: Through & { readonly via: Session };
  #ending = new AbortController();

  constructor(through: Through, options: http.AgentOptions) {
    const elsewhere = "those of Node's own agent go into a second argument";
    const all = refuseUnknown("make an agent", through, THROUGH_KEYS, elsewhere);
    refuseKeys("make an agent", allOf(options), REFUSED_AGENT); // Node takes null for none
    this.#through = { ...all, via: sessionFor(all.via) };
  }

  connect(wanted: Wanted, wrap: Wrap, done: Connected | undefined): undefined {
    const { host, port, localAddress, localPort, [GIVEN_UP]: givenUp, ...others } = wanted;
    refuseKeys("connect", others, REFUSED);
    const { signal } = this.#through;
    const own = others.signal || undefined; // among Node's options of an agent: it ends its connections
    const signals = [this.#ending.signal, signal, givenUp, own].filter((one) => one !== undefined);
    const options = { ...this.#through, signal: AbortSignal.any(signals) };
    const deadline = new Deadline({ timeoutMs: this.#through.timeoutMs });
    const peer = { host: host ?? undefined, port: Number(port), localAddress, localPort };
    const wrapped = nodeConnect({ ...options, ...peer }).then((socket) => {
      if (others.keepAlive) socket.setKeepAlive(true, others.keepAliveInitialDelay); // as net.connect does
      const stream = wrapOrClose(socket, wrap);
      if (own) addAbortSignal(own, stream);
      if (stream instanceof tls.TLSSocket) this.#limit(stream, `${host}:${port}`, deadline);
      return stream;
    });
    void wrapped.then(
      (stream) => {
        done?.(null, stream);
        process.nextTick(announce, stream); // after the request's "socket", which node:http emits by nextTick
      },
      (error: unknown) => {
        const failure = own?.aborted && own.reason === error ? abortOf(own) : errorOf(error);
        done?.(failure, undefined as unknown as Duplex); // oxlint-disable-line typescript/no-unsafe-type-assertion
      },
    );
  }

  /* Limits the TLS handshake, which is part of making a connection: Bun would wait for it for ever. */
  #limit(stream: tls.TLSSocket, peer: string, deadline: Deadline): void {
    const { signal, via } = this.#through;
    const late = (): void => {
      const asked = `secure the connection to ${peer}`;
      const failure = { code: "ETIMEDOUT", step: "connect", server: via.via, asked } as const;
      stream.destroy(new XSocketError(failure));
    };
    const timer = setTimeout(late, deadline.leftMs());
    const forget = onAbort(signal, (reason) => void stream.destroy(errorOf(reason)));
    const made = (): void => {
      clearTimeout(timer);
      forget();
    };
    stream.once("secureConnect", made).once("close", made);
  }

  /** Ends the connections that are being made. */
  end(): void {
    this.#ending.abort(disposedOf(this.#through.via.via));
    this.#ending = new AbortController();
  }
}

/**
 * An http.Agent whose connections are made from the target namespace. `timeoutMs` and `signal` limit the
 * making of a connection; a request whose connection cannot be made gets the XSocketError of connect.
 * Options of http.Agent itself, such as `maxSockets`, go into a second argument.
 *
 * @example
 * http.get("http://10.64.0.1/", { agent: new HttpAgent({ via: "/run/xsocket/vpn" }) });
 */
export class HttpAgent extends http.Agent {
  readonly #connector: Connector;

  constructor(through: Through = {}, options: http.AgentOptions = {}) {
    super(options);
    this.#connector = new Connector(through, options);
  }

  override createConnection(options: http.ClientRequestArgs, done?: Connected): undefined {
    // NaN, too, is none, as for net.connect
    const plain = (socket: net.Socket): net.Socket => socket.setTimeout(options.timeout || 0);
    return this.#connector.connect(options, plain, done);
  }

  /** Closes all its connections, those that are being made as well. */
  override destroy(): void {
    super.destroy();
    this.#connector.end();
  }
}

/**
 * An https.Agent whose connections are made from the target namespace. `timeoutMs`, which includes the TLS
 * handshake, and `signal` limit the making of a connection; a request whose connection cannot be made gets
 * the XSocketError of connect. Options of https.Agent itself, such as `maxSockets`, go into a second argument.
 *
 * @example
 * https.get("https://web.test/", { agent: new HttpsAgent({ via: "/run/xsocket/vpn" }) });
 */
export class HttpsAgent extends https.Agent {
  readonly #connector: Connector;

  constructor(through: Through = {}, options: https.AgentOptions = {}) {
    super(options);
    this.#connector = new Connector(through, options);
  }

  override createConnection(options: https.RequestOptions, done?: Connected): undefined {
    const name = options.servername ?? options.host ?? ""; // "" for no SNI
    const servername = net.isIP(name) === 0 ? name : undefined; // an address is none
    // by node:https, which keeps the TLS session for the next connection to this peer
    const secure = (socket: net.Socket): Duplex =>
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- with a socket it gives one
      super.createConnection(Object.assign({ ...options, servername }, { socket })) as Duplex;
    return this.#connector.connect(options, secure, done);
  }

  /** Closes all its connections, those that are being made as well. */
  override destroy(): void {
    super.destroy();
    this.#connector.end();
  }
}
