import type * as http from "node:http";
import * as httpModule from "node:http";
import * as httpsModule from "node:https";
import { responseOf } from "./_response.ts";
import { misuse } from "./_kind.ts";
import { refuseUnknown } from "./_unknown.ts";
import { refuseKeys, type Through } from "./_through.ts";
import { HttpAgent, HttpsAgent } from "./node.ts";
import { type Session, sessionFor } from "./session.ts";

/** The redirects that are followed, as the Fetch standard says. */
const REDIRECTS_MAX = 20;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** For how long a connection is kept for the next request, in milliseconds. */
const KEPT_MS = 4000;

/** fetch of another network namespace. Disposing of it closes the connections that it keeps. */
export type FetchVia = typeof fetch & Disposable;

const REFUSED = {
  proxy: "Leave proxy out: the target namespace is the way already.",
  unix: "UNIX sockets are not those of a network namespace: use fetch.",
  s3: "Use Bun.S3Client, or sign the request yourself.",
  session: "Leave session out: connections are kept for each fetchVia.",
  verbose: "Leave verbose out, and look at the request with tcpdump in the target namespace.",
};

interface Agents extends Disposable {
  readonly http: http.Agent;
  readonly https: http.Agent;
}

/* One request on its way, redirects included. */
interface Plan {
  url: URL;
  method: string;
  readonly headers: Headers;
  /** Bytes can be sent again after a redirect, a stream cannot. */
  body: Uint8Array | ReadableStream<Uint8Array> | null;
  readonly init: BunFetchRequestInit;
  readonly signal: AbortSignal | undefined;
}

function agentsOf(through: Through, keepAlive: boolean): Agents {
  const options = { keepAlive, ...(keepAlive && { timeout: KEPT_MS }) };
  const [plain, secure] = [new HttpAgent(through, options), new HttpsAgent(through, options)];
  const dispose = (): void => [plain, secure].forEach((agent) => agent.destroy());
  return { http: plain, https: secure, [Symbol.dispose]: dispose };
}

/* Strings, blobs and forms get a Content-Length; a stream has none, nor has the body of a Request. */
async function bodyOf(request: Request, init: BunFetchRequestInit): Promise<Plan["body"]> {
  const { body } = request;
  if (body === null) return null;
  const given = init.body;
  const isWhole =
    typeof given === "string" ||
    given instanceof Blob ||
    given instanceof ArrayBuffer ||
    ArrayBuffer.isView(given) ||
    given instanceof URLSearchParams ||
    given instanceof FormData;
  return isWhole ? new Uint8Array(await request.arrayBuffer()) : body;
}

function headersOf({ headers, body, init }: Plan): Record<string, string> {
  const sent: Record<string, string> = {
    "user-agent": `Bun/${Bun.version}`,
    accept: "*/*",
    ...(init.decompress !== false && { "accept-encoding": "gzip, deflate, br, zstd" }),
  };
  for (const [name, value] of headers) sent[name] = value;
  if (body instanceof Uint8Array) sent["content-length"] = String(body.byteLength);
  if (init.keepalive === false) sent["connection"] = "close";
  return sent;
}

async function sendBody(outgoing: http.ClientRequest, body: Plan["body"]): Promise<void> {
  if (body instanceof ReadableStream) {
    for await (const chunk of body)
      if (!outgoing.write(chunk))
        await new Promise<void>((resolve) =>
          outgoing.once("drain", resolve).once("close", resolve),
        );
    outgoing.end();
  } else if (body) outgoing.end(body);
  else outgoing.end();
}

/*
 * A server may close a connection just when the next request is sent over it. Nothing was answered
 * then, so a request that may safely come twice is sent again on a new one.
 */
function mayRetry(plan: Plan, outgoing: http.ClientRequest, error: unknown): boolean {
  const code: unknown = error instanceof Error ? Reflect.get(error, "code") : undefined;
  const harmless = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"].includes(plan.method);
  return (
    outgoing.reusedSocket &&
    harmless &&
    !(plan.body instanceof ReadableStream) &&
    (code === "ECONNRESET" || code === "EPIPE")
  );
}

/* Sends a request and waits for the head of its answer. */
async function exchange(plan: Plan, agents: Agents): Promise<http.IncomingMessage> {
  const { url, method, init, signal } = plan;
  const secure = url.protocol === "https:";
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  const options = { method, headers: headersOf(plan), agent: agents[secure ? "https" : "http"] };
  const outgoing = secure
    ? httpsModule.request(url, { ...(init.tls as httpsModule.RequestOptions), ...options }) // oxlint-disable-line typescript/no-unsafe-type-assertion
    : httpModule.request(url, options);
  outgoing.on("response", resolve).on("error", (error) => {
    if (!signal?.aborted && mayRetry(plan, outgoing, error)) resolve(exchange(plan, agents));
    else reject(error);
  });
  const abort = (): void => {
    reject(signal?.reason);
    outgoing.destroy();
  };
  signal?.addEventListener("abort", abort, { once: true });
  sendBody(outgoing, plan.body).catch((error: unknown) => {
    reject(error);
    outgoing.destroy();
  });
  return promise.finally(() => signal?.removeEventListener("abort", abort));
}

function redirectError(code: string, url: URL): TypeError {
  return Object.assign(new TypeError(`${code} fetching "${url.href}"`), { code });
}

/* Turns a plan into that of the next request, as the Fetch standard says. */
function follow(plan: Plan, status: number, location: string): void {
  const next = new URL(location, plan.url);
  if (!next.protocol.startsWith("http")) throw redirectError("UnsupportedRedirectProtocol", next);
  if (!next.hash) next.hash = plan.url.hash;
  const isPost = plan.method === "POST" && status < 303;
  if (isPost || (status === 303 && plan.method !== "GET" && plan.method !== "HEAD")) {
    plan.method = "GET";
    plan.body = null;
    for (const name of ["content-length", "content-type", "content-encoding", "content-language"])
      plan.headers.delete(name);
  }
  if (plan.body instanceof ReadableStream) throw redirectError("RequestBodyNotReusable", next);
  if (next.origin !== plan.url.origin)
    for (const name of ["authorization", "cookie", "proxy-authorization", "host"])
      plan.headers.delete(name);
  plan.url = next;
}

async function run(plan: Plan, agents: Agents): Promise<Response> {
  for (let redirects = 0; ; redirects++) {
    plan.signal?.throwIfAborted();
    const answer = await exchange(plan, agents);
    const status = answer.statusCode ?? 0;
    const { location } = answer.headers;
    const mode = plan.init.redirect ?? "follow";
    if (!REDIRECTS.has(status) || location === undefined || mode === "manual")
      return responseOf(answer, { ...plan, redirected: redirects > 0 });
    answer.resume();
    if (mode === "error") throw redirectError("UnexpectedRedirect", plan.url);
    if (redirects === REDIRECTS_MAX) throw redirectError("TooManyRedirects", plan.url);
    follow(plan, status, location);
  }
}

async function planOf(input: string | URL | Request, init: BunFetchRequestInit): Promise<Plan> {
  refuseKeys("fetch", init, REFUSED);
  if (init.protocol !== undefined && !["http1.1", "h1"].includes(init.protocol))
    throw misuse(
      "fetch",
      `protocol is ${init.protocol}`,
      "Only HTTP/1.1 goes with via.",
      "ENOTSUP",
    );
  const isRequest = input instanceof Request;
  const request = isRequest ? new Request(input, init) : new Request(String(input), init);
  const { method } = request;
  const headers = new Headers(request.headers);
  const signal = init.signal ?? (isRequest ? input.signal : undefined);
  signal?.throwIfAborted();
  const redirect = init.redirect ?? (isRequest ? input.redirect : "follow");
  const body = await bodyOf(request, init);
  return { url: new URL(request.url), method, headers, body, init: { ...init, redirect }, signal };
}

/* Only a hint, in fetch too: here the connection is made at the first request. */
function preconnect(): void {}

/**
 * Makes a `fetch` whose requests go out of the target namespace: names are looked up there, TLS is
 * checked, redirects are followed, bodies stream both ways and are decompressed, connections are kept
 * for the next request for some seconds. `data:` and `blob:` URLs need no network and are read here.
 * `timeoutMs` is for making a connection, 5000 by default; end a whole request with `signal`.
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
  const kept = agentsOf(all, true);
  const fetchThere = async (
    input: string | URL | Request,
    init: BunFetchRequestInit = {},
  ): Promise<Response> => {
    const { protocol } = new URL(input instanceof Request ? input.url : input);
    if (protocol === "data:" || protocol === "blob:") return fetch(input, init);
    if (protocol !== "http:" && protocol !== "https:")
      throw misuse(
        "fetch",
        `the URL's protocol is ${protocol}`,
        "Give an http: or https: URL.",
        "ENOTSUP",
      );
    const plan = await planOf(input, init);
    // A kept connection was checked under the rules of its first request, so these get their own.
    return run(plan, init.tls ? agentsOf(all, false) : kept);
  };
  return Object.assign(fetchThere, { preconnect, [Symbol.dispose]: () => kept[Symbol.dispose]() });
}
