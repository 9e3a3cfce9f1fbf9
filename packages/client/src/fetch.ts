import * as http from "node:http";
import * as https from "node:https";
import { codeOf } from "@xsocket/xbind-native";
import { hasNews } from "./_bun.ts";
import { headersOf, type Plan, planOf, sendBody } from "./_request.ts";
import { asFetchError, discard, fetchError, inUtf8, isMalformed, responseOf } from "./_response.ts";
import { misuse } from "./_options.ts";
import { refuseUnknown } from "./_unknown.ts";
import { pathOf, type Through } from "./_through.ts";
import { isKeyed, tlsOf } from "./_tls.ts";
import { Turns } from "./_turns.ts";
import { atCaller, withoutOurLines, XSocketError } from "./error.ts";
import { disposedOf, GIVEN_UP, HttpAgent, HttpsAgent } from "./agents.ts";
import { type Session, sessionFor } from "./session.ts";

/** The redirects that are followed, as Bun's fetch does; the Fetch standard says 20. */
const REDIRECTS_MAX = 126;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** The longest head of an answer, in bytes: node:http would take 16 KiB, and some servers send more. */
const HEAD_BYTES_MAX = 1 << 20;
/** URLs that need no network. */
const LOCAL = new Set(["data:", "blob:", "file:"]);
/** How long a connection is kept for the next request, in milliseconds. */
const KEPT_MS = 4000;
/** How many connections are made at once: with thousands, each would run out of its time. */
const CONNECTING_MAX = 256;

/** fetch from another network namespace. Disposing of it closes its connections; later requests keep none open. */
export type FetchVia = typeof fetch & Disposable;

/* Whether a request may use a kept connection, and leave its connection to be kept. */
function mayKeep(plan: Plan): boolean {
  const closes = /(^|[\s,])close([\s,]|$)/i.test(plan.headers.get("connection") ?? "");
  return plan.init.keepalive !== false && !closes && isKeyed(plan);
}

interface Agents extends Disposable {
  readonly http: http.Agent;
  readonly https: http.Agent;
  /** Set once they were disposed of: requests under way end with them, those that wait for their turn with this. */
  ended: XSocketError | undefined;
}

function agentsOf(through: Through, keepAlive: boolean): Agents {
  const options = { keepAlive, ...(keepAlive && { timeout: KEPT_MS }) };
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
  const harmless = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"].includes(plan.method);
  return (
    outgoing.reusedSocket &&
    harmless &&
    !(plan.body instanceof ReadableStream) &&
    (code === "ECONNRESET" || code === "EPIPE")
  );
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
  const { http: plain, https: secure } = agents;
  const isSecure = url.protocol === "https:";
  dropEnded(isSecure ? secure : plain);
  const outgoing = isSecure
    ? https.request(place, { ...tlsOf(plan), ...options, agent: secure })
    : http.request(place, { ...options, agent: plain });
  outgoing.maxHeadersCount = 0; // HEAD_BYTES_MAX bounds them; node:http would drop all after the thousandth
  return outgoing;
}

/* Sends a request and waits for the head of its answer. Calls `connected` once it has its connection. */
async function exchange(
  plan: Plan,
  agents: Agents,
  connected: () => void,
): Promise<http.IncomingMessage> {
  const { url, signal } = plan;
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
      if (isMalformed(error) && !answer.complete)
        answer.destroy(Object.assign(error, { code: "InvalidHTTPResponse" }));
    });
    resolve(answer);
  });
  outgoing.on("error", (error) => {
    const again = !isOver && !agents.ended && mayRetry(plan, outgoing, error);
    isOver = true;
    if (again) resolve(exchange(plan, agents, connected));
    else reject(asFetchError(error, url));
  });
  const giveUp = (reason: unknown): void => {
    isOver = true;
    reject(reason);
    outgoing.destroy();
    givenUp.abort();
  };
  const abort = (): void => giveUp(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  sendBody(outgoing, plan).catch(giveUp);
  return promise.finally(() => signal?.removeEventListener("abort", abort));
}

/* Turns a plan into that of the next request, as the Fetch standard says. */
function follow(plan: Plan, status: number, location: string): void {
  const next = URL.parse(location, plan.url.href);
  if (!next) throw fetchError("RedirectURLInvalid", plan.url);
  if (next.protocol !== "http:" && next.protocol !== "https:")
    throw fetchError("UnsupportedRedirectProtocol", next);
  const isPost = plan.method === "POST" && status < 303;
  if (isPost || (status === 303 && plan.method !== "GET" && plan.method !== "HEAD")) {
    plan.method = "GET";
    plan.body = null;
    for (const name of ["length", "type", "encoding", "language", "location"])
      plan.headers.delete(`content-${name}`);
  }
  if (plan.body instanceof ReadableStream) throw fetchError("RequestBodyNotReusable", next);
  if (next.origin !== plan.url.origin)
    for (const name of ["authorization", "cookie", "proxy-authorization", "host"])
      plan.headers.delete(name);
  plan.url = next;
}

async function run(plan: Plan, agents: Agents, turns: Turns): Promise<Response> {
  for (let redirects = 0; ; redirects++) {
    const answer = await turns.run(plan.signal, (done) => exchange(plan, agents, done));
    const status = answer.statusCode ?? 0;
    const location = inUtf8(answer.headers.location);
    const mode = plan.init.redirect ?? "follow";
    if (!REDIRECTS.has(status) || !location || mode === "manual")
      return responseOf(answer, { ...plan, redirected: redirects > 0 });
    discard(answer);
    if (mode === "error") throw fetchError("UnexpectedRedirect", plan.url);
    if (redirects === REDIRECTS_MAX) throw fetchError("TooManyRedirects", plan.url);
    follow(plan, status, location);
  }
}

/* Whether an error was made here: not a signal's reason, nor thrown by the source of a body or the caller's lookup. */
function isOurs(error: unknown): error is Error {
  return error instanceof XSocketError || (error instanceof TypeError && "path" in error);
}

/* Only a hint, in fetch too: here the connection is made at the first request. */
function preconnect(): void {}

/**
 * Makes a `fetch` that sends its requests from the target namespace. It looks names up there, checks TLS,
 * follows redirects, streams bodies both ways, decompresses them, and keeps connections for the next request
 * for some seconds. `data:`, `blob:` and `file:` URLs need no network and are read here. `timeoutMs` limits the
 * making of a connection, 5000 by default; end a whole request with `signal`.
 *
 * @param via     the server's control socket, `/run/xsocket/default` by default, or a session with it
 * @param through how to look names up, and the time for a connection
 * @returns a function of fetch's shape, which throws {XSocketError} where the connection cannot be
 *   made; ENOTSUP for `proxy`, `unix`, `s3`, `session`, `verbose`, and HTTP/2 and 3
 * @example
 * const fetch = fetchVia("/run/xsocket/vpn");
 * const response = await fetch("http://10.64.0.1/", { signal: AbortSignal.timeout(3000) });
 * console.log(response.status, await response.text());
 */
export function fetchVia(
  via?: string | Session,
  through: Omit<Through, "via" | "signal"> = {},
): FetchVia {
  refuseUnknown("make a fetch", through, ["timeoutMs", "lookup", "nameservers"]);
  const all = { ...through, via: sessionFor(via) };
  const turns = new Turns(CONNECTING_MAX);
  let kept: Agents | undefined = agentsOf(all, true);
  let unkept = agentsOf(all, false);
  const fetchThere = async (
    input: string | URL | Request,
    given?: BunFetchRequestInit | null,
  ): Promise<Response> => {
    try {
      const init = given ?? {};
      const { protocol } = new URL(input instanceof Request ? input.url : input);
      if (LOCAL.has(protocol)) return await fetch(input, init);
      if (protocol !== "http:" && protocol !== "https:")
        throw misuse(
          "fetch",
          `the URL's protocol is ${protocol}`,
          "Give an http: or https: URL.",
          "ENOTSUP",
        );
      const plan = await planOf(input, init);
      return await run(plan, (mayKeep(plan) && kept) || unkept, turns);
    } catch (error) {
      throw isOurs(error) ? atCaller(error) : withoutOurLines(error);
    }
  };
  const dispose = (): void => {
    kept?.[Symbol.dispose]();
    unkept[Symbol.dispose]();
    kept = undefined;
    unkept = agentsOf(all, false); // for later requests
  };
  return Object.assign(fetchThere, { preconnect, [Symbol.dispose]: dispose });
}
