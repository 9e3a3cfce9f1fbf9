import { type Agents, agentsOf, exchange } from "./_exchange.ts";
import { initOf } from "./_init.ts";
import { cancelBody, type Plan, planOf } from "./_request.ts";
import { discard, fetchError, inUtf8, responseOf } from "./_response.ts";
import { misuse } from "./_options.ts";
import { refuseUnknown } from "./_unknown.ts";
import type { Through } from "./_through.ts";
import { isKeyed } from "./_tls.ts";
import { Turns } from "./_turns.ts";
import { atCaller, withoutOurLines, XSocketError } from "./error.ts";
import { type Session, sessionFor } from "./session.ts";

/** The most redirects that are followed, as by Bun's fetch; the Fetch standard says 20. */
const REDIRECTS_MAX = 126;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** URLs that need no network. */
const LOCAL = new Set(["data:", "blob:", "file:"]);
/** How many connections are made at once: with thousands, each would run out of its time. */
const CONNECTING_MAX = 256;

/** fetch from another network namespace. Disposing of it closes its connections; later requests keep none open. */
export type FetchVia = typeof fetch & Disposable;

/* Whether a request may use a kept connection, and leave its connection to be kept. */
function mayKeep(plan: Plan): boolean {
  const closes = /(^|[\s,])close([\s,]|$)/i.test(plan.headers.get("connection") ?? "");
  return plan.init.keepalive !== false && !closes && isKeyed(plan);
}

/* Turns a plan into that of the next request, as the Fetch standard says. */
function follow(plan: Plan, status: number, location: string): void {
  const next = URL.parse(location, plan.url.href);
  if (!next) throw fetchError("RedirectURLInvalid", plan.url);
  if (next.protocol !== "http:" && next.protocol !== "https:")
    throw fetchError("UnsupportedRedirectProtocol", next);
  // it cannot be sent again; the Fetch standard says so even where a POST becomes a GET without one
  if (status !== 303 && plan.body instanceof ReadableStream)
    throw fetchError("RequestBodyNotReusable", next);
  const isPost = plan.method === "POST" && status < 303;
  if (isPost || (status === 303 && plan.method !== "GET" && plan.method !== "HEAD")) {
    plan.method = "GET";
    plan.body = null;
    for (const name of ["length", "type", "encoding", "language", "location"])
      plan.headers.delete(`content-${name}`);
  }
  if (next.origin !== plan.url.origin)
    for (const name of ["authorization", "cookie", "proxy-authorization", "host"])
      plan.headers.delete(name);
  plan.url = next;
}

async function run(plan: Plan, agents: Agents, turns: Turns): Promise<Response> {
  const most = Math.min(plan.init.maxRedirects ?? REDIRECTS_MAX, REDIRECTS_MAX);
  for (let redirects = 0; ; redirects++) {
    const answer = await turns.run(plan.signal, (done) => exchange(plan, agents, done));
    const status = answer.statusCode ?? 0;
    const location = inUtf8(answer.headers.location);
    const isRedirect = REDIRECTS.has(status);
    if (isRedirect && plan.redirect === "error") {
      discard(answer);
      throw fetchError("UnexpectedRedirect", plan.url); // also without a location
    }
    if (!isRedirect || !location || plan.redirect === "manual")
      return responseOf(answer, plan, redirects > 0);
    discard(answer);
    if (redirects === most) throw fetchError("TooManyRedirects", plan.url);
    follow(plan, status, location);
  }
}

/* Whether an error was made here: not a signal's reason, nor thrown by the source of a body or the caller's lookup. */
function isOurs(error: unknown): error is Error {
  return error instanceof XSocketError || (error instanceof TypeError && "path" in error);
}

/**
 * Makes a `fetch` that sends its requests from the target namespace. It looks names up there, checks TLS,
 * follows redirects, streams bodies both ways, decompresses them, and keeps connections for the next request
 * for some seconds. `data:`, `blob:` and `file:` URLs need no network and are read here. `timeoutMs` limits the
 * making of a connection, 5000 by default; end a whole request with `signal`.
 *
 * @param via     the server's control socket, `/run/xsocket/default` by default, or a session with it
 * @param through how to look names up, and the time for a connection
 * @returns a function of fetch's shape, which throws {XSocketError} where the connection cannot be
 *   made; ENOTSUP for `proxy`, `unix`, `s3`, `session`, `verbose`, `compress`, HTTP/2 and 3, CONNECT and TRACE
 * @example
 * const fetch = fetchVia("/run/xsocket/vpn");
 * const response = await fetch("http://10.64.0.1/", { signal: AbortSignal.timeout(3000) });
 * console.log(response.status, await response.text());
 */
export function fetchVia(
  via?: string | Session,
  through: Omit<Through, "via" | "signal"> = {},
): FetchVia {
  const elsewhere = "those of a request go into the call of the fetch that is made";
  const keys = ["timeoutMs", "lookup", "nameservers"];
  const options = refuseUnknown("make a fetch", through, keys, elsewhere);
  const all = { ...options, via: sessionFor(via) };
  const turns = new Turns(CONNECTING_MAX);
  let kept: Agents | undefined = agentsOf(all, true);
  let unkept = agentsOf(all, false);
  const fetchThere = async (
    input: string | URL | Request,
    given?: BunFetchRequestInit | null,
  ): Promise<Response> => {
    let plan: Plan | undefined;
    try {
      const url = new URL(input instanceof Request ? input.url : input);
      if (LOCAL.has(url.protocol)) return await fetch(input, given ?? {});
      if (url.protocol !== "http:" && url.protocol !== "https:")
        throw misuse(
          "fetch",
          `the URL's protocol is ${url.protocol}`,
          "Give an http: or https: URL.",
          "ENOTSUP",
        );
      const request = [given, input].find((one) => one instanceof Request);
      plan = await planOf(url, request, initOf(request, given));
      return await run(plan, (mayKeep(plan) && kept) || unkept, turns);
    } catch (error) {
      cancelBody(plan?.body, error);
      throw isOurs(error) ? atCaller(error) : withoutOurLines(error);
    }
  };
  const dispose = (): void => {
    kept?.[Symbol.dispose]();
    unkept[Symbol.dispose]();
    kept = undefined;
    unkept = agentsOf(all, false); // for later requests
  };
  // preconnect() is only a hint, in fetch too
  return Object.assign(fetchThere, { preconnect() {}, [Symbol.dispose]: dispose });
}
