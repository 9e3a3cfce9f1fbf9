import * as http from "node:http";
import * as https from "node:https";
import { setImmediate } from "node:timers/promises";
import { codeOf } from "@xsocket/xbind-native";
import { hasNews } from "./_bun.ts";
import { headersOf, type Plan, sendBody } from "./_request.ts";
import { asFetchError, fetchError } from "./_response.ts";
import { pathOf, type Through } from "./_through.ts";
import { isRefusal, tlsOf } from "./_tls.ts";
import { onAbort } from "./_wait.ts";
import { disposedOf, GIVEN_UP, HttpAgent, HttpsAgent } from "./agents.ts";
import type { XSocketError } from "./error.ts";

/** The longest head of an answer, in bytes: node:http would take 16 KiB, and some servers send more. */
const HEAD_BYTES_MAX = 1 << 20;
/** How long a connection is kept for the next request, in milliseconds. */
const KEPT_MS = 4000;
/** For how long a peer may be silent before TCP asks whether it is there, in milliseconds, as in Bun's fetch. With
    node:http's own second, a connection would not outlive an interruption of eleven. */
const PROBE_MS = 60_000;

/** The agents of a fetch. Disposing of them ends their requests. */
export interface Agents extends Disposable {
  readonly http: http.Agent;
  readonly https: http.Agent;
  /** Set once they were disposed of: requests under way end with them, those that wait for their turn with this. */
  ended: XSocketError | undefined;
}

/** Makes the agents of a fetch; those with `keepAlive` keep connections for the next request. */
export function agentsOf(through: Through, keepAlive: boolean): Agents {
  const options = keepAlive
    ? { keepAlive, timeout: KEPT_MS, keepAliveMsecs: PROBE_MS }
    : { maxCachedSessions: 0 }; // a session, like a kept connection, was checked for another request: see isKeyed
  const [plain, secure] = [new HttpAgent(through, options), new HttpsAgent(through, options)];
  const agents: Agents = {
    http: plain,
    https: secure,
    ended: undefined,
    [Symbol.dispose]() {
      agents.ended = disposedOf(pathOf(through.via));
      plain.destroy();
      secure.destroy();
    },
  };
  return agents;
}

/*
 * A server may close a connection just when the next request is sent over it. Nothing was answered
 * then, so a request that may safely come twice is sent again on a new one.
 */
function mayRetry(plan: Plan, outgoing: http.ClientRequest, error: unknown): boolean {
  const code = codeOf(error);
  return outgoing.reusedSocket && mayComeTwice(plan) && (code === "ECONNRESET" || code === "EPIPE");
}

function mayComeTwice({ method, body }: Plan): boolean {
  const isHarmless = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"].includes(method);
  return isHarmless && !(body instanceof ReadableStream);
}

/*
 * A kept connection may have ended while the program was busy, without the event loop knowing yet. No
 * request must be sent over it: if one that changes something is lost, nobody can tell whether it was read.
 */
function dropEnded({ freeSockets }: http.Agent): void {
  for (const kept of Object.values(freeSockets)) {
    for (const socket of kept?.toReversed() ?? []) {
      if (!hasNews(socket)) break; // the agent will use this one
      socket.destroy();
      socket.emit("agentRemove");
    }
  }
}

/* The request of node:http for a plan, with all but its body. `givenUp` ends its connecting. */
function outgoingOf(plan: Plan, agents: Agents, givenUp: AbortSignal): http.ClientRequest {
  const { url, method } = plan;
  const place = Object.assign(new URL(url), { username: "", password: "", hash: "" }); // they are in a header
  const options = {
    method,
    headers: headersOf(plan),
    port: url.port || undefined, // a string: node:http takes the number 0 for none
    path: place.href.slice(place.origin.length), // node:http would leave out an empty query
    maxHeaderSize: HEAD_BYTES_MAX,
    [GIVEN_UP]: givenUp,
  };
  const isSecure = url.protocol === "https:";
  dropEnded(isSecure ? agents.https : agents.http);
  const outgoing = isSecure
    ? https.request(place, { ...tlsOf(plan), ...options, agent: agents.https })
    : http.request(place, { ...options, agent: agents.http });
  // as by fetch, which closes the connection itself; node:http would say so in a header, and with Expect has said it
  if (plan.init.keepalive === false && !plan.headers.has("connection") && !outgoing.headersSent)
    outgoing.removeHeader("connection");
  outgoing.maxHeadersCount = 0; // HEAD_BYTES_MAX bounds them; node:http would drop all after the thousandth
  return outgoing;
}

/**
 * Sends a request and waits for the head of its answer. Calls `connected` once it has its connection.
 *
 * @throws {XSocketError} where the connection cannot be made, or the agents were disposed of
 * @throws {TypeError} as fetch does; the reason of the plan's signal
 */
export async function exchange(
  plan: Plan,
  agents: Agents,
  connected: () => void,
): Promise<http.IncomingMessage> {
  const { url, signal } = plan;
  // the end of a TLS session that came with the last answer: Bun has read it, but tells of it after what runs now
  if (url.protocol === "https:" && !mayComeTwice(plan)) await setImmediate();
  signal?.throwIfAborted();
  if (agents.ended) throw agents.ended;
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  const givenUp = new AbortController(); // ends the connecting: outgoing has no connection until then
  const outgoing = outgoingOf(plan, agents, givenUp.signal);
  outgoing.on("socket", (socket) => {
    if (url.protocol === "https:" && !outgoing.reusedSocket)
      socket.once("secureConnect", connected);
    else connected();
  });
  let isOver = false; // answered or given up: it is not asked again
  const refuseUpgrade = ({ socket }: http.IncomingMessage): void => {
    socket.destroy();
    reject(fetchError("UnrequestedUpgrade", url));
  };
  outgoing.on("upgrade", refuseUpgrade);
  outgoing.on("response", (answer) => {
    isOver = true;
    if (answer.statusCode === 101) return refuseUpgrade(answer); // without an Upgrade header
    answer.once("end", () => outgoing.writableEnded || outgoing.destroy()); // a server that has answered reads no more
    outgoing.once("error", (error) => {
      // malformed HTTP, for which the body alone would end with ECONNRESET
      if (codeOf(error).startsWith("HPE_") && !answer.complete)
        answer.destroy(Object.assign(error, { code: "InvalidHTTPResponse" }));
    });
    resolve(answer);
  });
  outgoing.on("error", (error) => {
    const again = !isOver && !agents.ended && mayRetry(plan, outgoing, error);
    isOver = true;
    if (again) resolve(exchange(plan, agents, connected));
    else reject(isRefusal(error) ? error : asFetchError(error, url));
  });
  const giveUp = (reason: unknown): void => {
    isOver = true;
    reject(reason);
    outgoing.destroy();
    givenUp.abort();
  };
  const forget = onAbort(signal, giveUp);
  sendBody(outgoing, plan).catch(giveUp);
  return promise.finally(forget);
}
