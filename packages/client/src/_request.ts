/* Turns fetch's arguments into a plan for node:http. */
import type { ClientRequest, OutgoingHttpHeaders } from "node:http";
import { tried } from "@xsocket/xbind-native";
import { argumentError } from "./_init.ts";
import { misuse } from "./_options.ts";

/** A request; each redirect that is followed changes it. */
export interface Plan {
  url: URL;
  method: string;
  readonly headers: Headers;
  /** Bytes and blobs can be sent again after a redirect, a stream cannot. */
  body: Uint8Array | Blob | ReadableStream<Uint8Array> | null;
  readonly redirect: Request["redirect"];
  readonly init: BunFetchRequestInit;
  readonly signal: AbortSignal | undefined;
}

/** Methods that take no body. */
const BODILESS = new Set(["GET", "HEAD"]);
/** Methods that the Fetch standard forbids. A Request of Bun turns the third of them, TRACK, into GET. */
const FORBIDDEN = new Set(["CONNECT", "TRACE"]);
/* A Request shows even a body that was given whole as a stream, which then arrives at once. Up to this many
   bytes are gathered, so that they can be sent with their length, and again after a redirect. */
const WHOLE_BYTES = 1 << 20;

/* Bun's types and TypeScript's DOM, which a program may have beside them, know different readers. */
const readerOf = (stream: ReadableStream<Uint8Array>) => stream.getReader();
type Reader = ReturnType<typeof readerOf>;
type Reading = ReturnType<Reader["read"]>;

/* A stream of the chunks that were already read from another one, and then of its rest. */
function streamOn(
  chunks: Uint8Array[],
  reader: Reader,
  reading: Reading | undefined,
): ReadableStream<Uint8Array> {
  let pending = reading;
  return new ReadableStream<Uint8Array>({
    async pull(sink) {
      const chunk = chunks.shift();
      if (chunk) return sink.enqueue(chunk);
      const { done, value } = await (pending ?? reader.read());
      pending = undefined;
      if (done) sink.close();
      else sink.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

/* What a stream holds is not always what its type says: Bun takes all of these. */
function bytesOf(chunk: unknown): Uint8Array {
  if (typeof chunk === "string") return Buffer.from(chunk);
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  if (ArrayBuffer.isView(chunk))
    return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  throw argumentError("a part of the body is neither text nor bytes", "ERR_INVALID_ARG_TYPE");
}

async function gathered(stream: ReadableStream<Uint8Array>): Promise<Plan["body"]> {
  const reader = readerOf(stream);
  const chunks: Uint8Array[] = [];
  for (let bytes = 0; bytes < WHOLE_BYTES;) {
    const reading = reader.read();
    const later = new Promise<undefined>((resolve) => setImmediate(resolve, undefined));
    const next = await Promise.race([reading, later]);
    if (next === undefined) return streamOn(chunks, reader, reading);
    if (next.done) return new Uint8Array(Buffer.concat(chunks));
    const chunk = bytesOf(next.value);
    chunks.push(chunk);
    bytes += chunk.byteLength;
  }
  return streamOn(chunks, reader, undefined);
}

/* For a slice of a file, Bun's `size` is only the most that it may be. It is not read where stat(2) says 0, as for
   files in /proc: from then on Bun would take such a file for empty. */
async function sizeOf(blob: Blob): Promise<number> {
  const isLocalFile = "stat" in blob && !("presign" in blob);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what has it in Bun
  const stat = isLocalFile ? await (blob as Bun.BunFile).stat() : undefined;
  if (stat?.isCharacterDevice()) return 0; // whole, as by fetch: /dev/null cannot be streamed
  if (!stat?.isFile()) return blob.size;
  return stat.size === 0 ? 0 : Math.min(stat.size, blob.size);
}

async function bodyOf(
  input: Request | undefined,
  init: BunFetchRequestInit,
  request: Request,
): Promise<Plan["body"]> {
  const given = init.body;
  if (given === null) return null;
  if (given === undefined) {
    if (input?.bodyUsed) throw argumentError("Request body already used", "ERR_BODY_ALREADY_USED");
    return input?.body ? gathered(input.body) : null;
  }
  const bytes = given instanceof Blob ? await sizeOf(given) : 0; // Infinity for a pipe and the like
  // a file may have become shorter
  if (given instanceof Blob && bytes > WHOLE_BYTES)
    return bytes < Infinity && bytes === given.size ? given : request.body;
  const kind = Object.prototype.toString.call(given); // fetch sends any other function as its source text
  const isStream = Symbol.asyncIterator in Object(given) || kind.includes("AsyncGeneratorFunction");
  return isStream ? request.body : new Uint8Array(await request.arrayBuffer());
}

/** The headers to send: the request's own, and what fetch adds. */
export function headersOf({ method, headers, body, init }: Plan): OutgoingHttpHeaders {
  const sent: OutgoingHttpHeaders = {
    "user-agent": `Bun/${Bun.version}`,
    accept: "*/*",
    ...(init.decompress !== false && { "accept-encoding": "gzip, deflate, br, zstd" }),
  };
  headers.forEach((value, name) => (sent[name] = value));
  if (headers.has("set-cookie")) sent["set-cookie"] = headers.getSetCookie(); // the one that is not joined
  delete sent["transfer-encoding"]; // the kind of body decides how it is sent
  delete sent["trailer"]; // none follow, and node:http throws where none could
  if (!(body instanceof ReadableStream)) delete sent["content-length"];
  // without it node:http sends the body of a DELETE or OPTIONS bare, and the server takes it for the next request
  else if (sent["content-length"] === undefined) sent["transfer-encoding"] = "chunked";
  if (body instanceof Uint8Array) sent["content-length"] = String(body.byteLength);
  else if (body instanceof Blob) sent["content-length"] = String(body.size);
  else if (body === null && !BODILESS.has(method)) sent["content-length"] = "0";
  return sent;
}

/* Not new Request(request, init), which would copy the body, and leave the original unused. */
function withoutBody(url: URL, { method, headers }: Request, init: BunFetchRequestInit): Request {
  const { method: other = method, headers: others = headers } = init; // undefined says nothing
  return new Request(url.href, { ...init, method: other, headers: others });
}

/* The type of a Request's own body, such as a form with its boundary: fetch sends it also where other headers stand
   in place of the Request's. Only a copy with other headers tells it. */
function typeOf(request: Request): string | null {
  const copy = new Request(request, { headers: { "x-other": "" } });
  cancelBody(copy.body, undefined);
  return copy.headers.get("content-type");
}

/* A Request takes no keepalive beside a stream, as the Fetch standard says, but Bun's fetch does. */
function forRequest(init: BunFetchRequestInit): BunFetchRequestInit {
  const isRefused = init.keepalive && init.body instanceof ReadableStream;
  return isRefused ? { ...init, keepalive: false } : init;
}

/*
 * Moves the credentials of a URL into a header, which redirects keep within an origin and drop beyond it.
 * node:http would take them from each URL anew, even from one that a redirect supplied.
 */
function authorize(headers: Headers, { username, password }: URL): void {
  if (headers.has("authorization") || !(username || password)) return;
  const pair = tried(() => `${decodeURIComponent(username)}:${decodeURIComponent(password)}`);
  if (pair === undefined) return; // malformed percent-encoding: no credentials are sent, as by fetch
  headers.set("authorization", `Basic ${Buffer.from(pair).toString("base64")}`);
}

/** Tells the source of a body that is not sent, or not to its end, as the Fetch standard says for an abort. */
export function cancelBody(body: Plan["body"] | undefined, reason: unknown): void {
  if (body instanceof ReadableStream) body.cancel(reason).catch(() => {}); // while it is sent, sendBody cancels it
}

/** Reads fetch's arguments. @throws {XSocketError} ENOTSUP, EINVAL; TypeError as fetch; the signal's reason */
export async function planOf(
  url: URL,
  earlier: Request | undefined,
  init: BunFetchRequestInit,
): Promise<Plan> {
  const asked = forRequest(init);
  const request = earlier ? withoutBody(url, earlier, asked) : new Request(url.href, asked);
  const { method } = request;
  if (FORBIDDEN.has(method))
    throw misuse("fetch", `method is ${method}`, "Use connect for it.", "ENOTSUP");
  const signal = (init.signal === undefined ? earlier?.signal : init.signal) ?? undefined;
  if (signal?.aborted) {
    cancelBody(init.body === undefined ? earlier?.body : request.body, signal.reason);
    throw signal.reason;
  }
  const headers = new Headers(request.headers); // before the body is read, which tells their type
  const isOwn = earlier?.bodyUsed === false && init.body === undefined;
  // a type stands in the Request's headers, too; a stream, which a copy would split in two, mostly has none
  if (isOwn && earlier.headers.has("content-type") && !headers.has("content-type")) {
    const type = typeOf(earlier);
    if (type !== null) headers.set("content-type", type);
  }
  const found = await bodyOf(earlier, init, request);
  const isEmpty = found instanceof Uint8Array && found.length === 0;
  const body = BODILESS.has(method) && isEmpty ? null : found;
  if (body !== null && BODILESS.has(method))
    throw argumentError(`a ${method} request has no body`, "ERR_INVALID_ARG_VALUE");
  const redirect = init.redirect ?? earlier?.redirect ?? "follow";
  authorize(headers, url);
  return { url, method, headers, body, redirect, init, signal };
}

/* A stream may not have the length that its header says, and a file may have changed. The server would take the
   next request for a part of the body, or a part of the body for a request. */
function wrongLength(): Error {
  const failure = new Error("the body has another length than its content-length says");
  return Object.assign(failure, { code: "ERR_HTTP_CONTENT_LENGTH_MISMATCH" });
}

/**
 * Sends a body and ends the request.
 *
 * @throws {Error} ERR_HTTP_CONTENT_LENGTH_MISMATCH; what the source of a stream throws
 */
export async function sendBody(outgoing: ClientRequest, { body, headers }: Plan): Promise<void> {
  if (!(body instanceof ReadableStream || body instanceof Blob)) return void outgoing.end(body);
  const declared = body instanceof Blob ? body.size : headers.get("content-length");
  let left = declared === null ? Infinity : Number(declared);
  const reader = (body instanceof Blob ? body.stream() : body).getReader();
  let goOn: (() => void) | undefined;
  const end = (): void => {
    goOn?.();
    reader.cancel().catch(() => {}); // tells the source that nobody reads on
  };
  outgoing.on("drain", () => goOn?.()).on("close", end);
  for (;;) {
    const { done, value } = await reader.read();
    if (outgoing.destroyed) return; // answered and closed before all was sent
    if (done) break;
    const chunk = bytesOf(value);
    left -= chunk.byteLength;
    if (!(left >= 0)) throw wrongLength();
    if (!outgoing.write(chunk)) await new Promise<void>((resolve) => (goOn = resolve));
  }
  if (declared !== null && left !== 0) throw wrongLength();
  outgoing.end();
}
