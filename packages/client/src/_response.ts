import type { IncomingMessage } from "node:http";
import { Duplex, finished, PassThrough, pipeline, type Readable } from "node:stream";
import { createBrotliDecompress, createInflate, createInflateRaw, createUnzip } from "node:zlib";
import { describe } from "./_bun.ts";
import type { Plan } from "./_request.ts";
import { onAbort } from "./_wait.ts";
import { XSocketError } from "./error.ts";

/** Statuses whose responses have no body. */
const BODILESS = new Set([204, 205, 304]);

/* The longest body that is read for the sake of its connection, in bytes. */
const DISCARDED_BYTES_MAX = 65_536;

/* The lower half of a zlib stream's first byte. Some servers send "deflate" without the zlib header. */
const ZLIB_METHOD = 8;

/** How to undo a content encoding. */
interface Encoding {
  /** Makes the decoder for a body that begins with these bytes. */
  readonly decoder: (first: Uint8Array) => Duplex;
  /** The code of fetch's error if decoding fails. */
  readonly code: string;
}

const GZIP: Encoding = { decoder: () => createUnzip(), code: "ZlibError" };

const ENCODINGS = new Map<string, Encoding>([
  ["gzip", GZIP],
  ["x-gzip", GZIP],
  [
    "deflate",
    {
      decoder: ([byte = 0]) => ((byte & 15) === ZLIB_METHOD ? createInflate() : createInflateRaw()),
      code: "ZlibError",
    },
  ],
  ["br", { decoder: () => createBrotliDecompress(), code: "BrotliDecompressionError" }],
  // not by node:zlib, whose decoder takes a body that is cut off for a whole one
  [
    "zstd",
    {
      decoder: () => Duplex.fromWeb(Reflect.construct(DecompressionStream, ["zstd"])),
      code: "ZstdDecompressionError",
    },
  ],
]);

function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers();
  for (let i = 0; i < rawHeaders.length; i += 2)
    headers.append(rawHeaders[i] ?? "", rawHeaders[i + 1] ?? "");
  return headers;
}

/** Text of a header as fetch reads it: node:http takes each byte for a character. */
export function inUtf8(text: string | undefined): string | undefined {
  return text === undefined ? undefined : Buffer.from(text, "latin1").toString();
}

/** Drops the body of an answer that nobody reads. A short one is read to its end, to keep the connection. */
export function discard(answer: IncomingMessage): void {
  const length = Number(answer.headers["content-length"] ?? Infinity);
  if (length <= DISCARDED_BYTES_MAX) answer.resume();
  else answer.destroy();
}

/** What fetch calls the failures of node:http and node:tls. */
const CODES: readonly (readonly [RegExp, string])[] = [
  [/^HPE_\w*CONTENT_LENGTH$/, "InvalidContentLength"],
  [/^HPE_/, "Malformed_HTTP_Response"],
  [/^ERR_SSL_/, "EPROTO"],
  [/^ERR_SOCKET_CLOSED$/, "ECONNRESET"], // within the handshake
];

/** An error of fetch about an answer. */
export function fetchError(code: string, url: URL): TypeError {
  const failure = new TypeError(`${code} fetching "${url.href}"`);
  return Object.assign(failure, { code, path: url.href });
}

/** Turns an error of node:http into the TypeError, with its code, that fetch throws. */
export function asFetchError(error: unknown, url: URL): unknown {
  const found: unknown = error instanceof Error ? Reflect.get(error, "code") : undefined;
  if (!(error instanceof Error) || error instanceof XSocketError || typeof found !== "string")
    return error;
  const code = CODES.find(([pattern]) => pattern.test(found))?.[1] ?? found;
  const failure = new TypeError(`${error.message} (fetching "${url.href}")`, { cause: error });
  return Object.assign(failure, { code, path: url.href });
}

/* Decodes once there is something to decode: a body may be empty whatever its encoding is. */
function decodedBy(source: Readable, { decoder, code }: Encoding): Readable {
  const plain = new PassThrough();
  const look = (): void => {
    const first: Buffer | null = source.read();
    if (first === null) return; // the end: see below
    source.off("readable", look).off("end", end);
    source.unshift(first);
    const decode = decoder(first).on("error", (error) => {
      if (!plain.destroyed) Object.assign(error, { code }); // not an error of the source or the reader
    });
    pipeline(source, decode, plain, () => {}); // an error destroys `plain` with it
  };
  const end = (): void => void plain.end();
  source.on("readable", look).on("end", end);
  // it may have failed already: the head and a malformed body can arrive at once
  finished(source, (error) => void (error && plain.destroy(error)));
  return plain;
}

/*
 * Reads as much of a body as a stream buffers, which is all of most bodies: once all has arrived, the
 * connection is free for the next request, whether or not anybody reads the body.
 */
function readAhead(answer: IncomingMessage): Readable {
  const ahead = new PassThrough();
  pipeline(answer, ahead, () => {}); // an error destroys `ahead` with it
  return ahead;
}

/* Undoes the content encodings, the last one first. */
function decoded(answer: IncomingMessage, encodings: string[]): Readable {
  let stream: Readable = answer;
  for (const name of encodings.toReversed()) {
    const encoding = ENCODINGS.get(name);
    if (!encoding) break;
    stream = decodedBy(stream, encoding);
  }
  return stream;
}

function bodyOf(answer: IncomingMessage, { init, signal, url }: Plan): ReadableStream {
  const encodings = (answer.headers["content-encoding"] ?? "")
    .split(",")
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name && name !== "identity");
  const plain = init.decompress === false ? answer : decoded(answer, encodings);
  const stream = plain === answer ? readAhead(answer) : plain; // a decoder has buffers of its own
  const abort = (): void => {
    stream.destroy(signal?.aborted ? signal.reason : undefined); // first, so that the reader gets this error
    answer.destroy();
  };
  stream.once("close", onAbort(signal, abort)); // maybe at once: in a microtask since the head arrived
  // a reason such as null would not reach the reader as the stream's error
  const explain = (error: unknown): unknown =>
    signal?.aborted ? signal.reason : asFetchError(error, url);
  return streamOf(stream, abort, explain);
}

/* Without this a response that is garbage-collected with its body unread would keep its connection for ever. */
const forgotten = new FinalizationRegistry<() => void>((end) => end());

/* The body as a stream that only its reader refers to, so that it can be garbage-collected. */
function streamOf(
  source: Readable,
  end: () => void,
  explain: (error: unknown) => unknown,
): ReadableStream<Uint8Array> {
  source.on("error", () => {}); // see "close"
  let chunks: AsyncIterator<Uint8Array> | undefined;
  let controller: WeakRef<ReadableStreamDefaultController> | undefined;
  const stream = new ReadableStream<Uint8Array>(
    {
      start: (sink) => void (controller = new WeakRef(sink)),
      async pull(sink) {
        chunks ??= source[Symbol.asyncIterator]();
        try {
          const { done, value } = await chunks.next();
          if (done === true) sink.close();
          else sink.enqueue(new Uint8Array(value.buffer, value.byteOffset, value.byteLength)); // not a Buffer
        } catch (error) {
          throw explain(error);
        }
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
  forgotten.register(stream, end, source);
  source.once("close", () => {
    forgotten.unregister(source); // else `end` would keep the whole answer in memory
    if (!source.readableEnded) controller?.deref()?.error(explain(source.errored)); // also if nobody reads
  });
  return stream;
}

/* Sets properties that the constructor of a Response does not take, on its clones as well. */
function described(response: Response, facts: Readonly<Record<string, unknown>>): Response {
  const clone = response.clone.bind(response);
  // from bytes: that of a stream would have no type
  const blob = async (): Promise<Blob> =>
    new Response(await response.arrayBuffer(), { headers: response.headers }).blob();
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- TypeScript takes it for undici's
  const copy = (): Response => described(clone() as unknown as Response, facts);
  describe(response, { ...facts, blob, clone: copy });
  return response;
}

/** Makes a Response of an answer of node:http; its body streams. */
export function responseOf(answer: IncomingMessage, plan: Plan, redirected: boolean): Response {
  const { statusCode: status = 0 } = answer;
  const statusText = inUtf8(answer.statusMessage) ?? "";
  const isEmpty = BODILESS.has(status) || plan.method === "HEAD";
  if (isEmpty) answer.resume();
  const body = isEmpty ? null : bodyOf(answer, plan);
  const isOdd = status < 200 || status > 599; // the constructor does not take it, but a server may send it
  const headers = headersOf(answer);
  const response = new Response(body, { status: isOdd ? 200 : status, statusText, headers });
  const url = new URL(plan.url);
  url.hash = "";
  const facts = { url: url.href, redirected };
  return described(response, isOdd ? { ...facts, status, ok: false } : facts);
}
