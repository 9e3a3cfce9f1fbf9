import type { IncomingMessage } from "node:http";
import { PassThrough, pipeline, Readable } from "node:stream";
import {
  createBrotliDecompress,
  createInflate,
  createInflateRaw,
  createUnzip,
  createZstdDecompress,
} from "node:zlib";
import { describe } from "./_bun.ts";

/** What a response depends on beside the answer itself. */
export interface ResponseContext {
  readonly url: URL;
  readonly method: string;
  readonly redirected: boolean;
  readonly init: BunFetchRequestInit;
  readonly signal: AbortSignal | undefined;
}

/** Statuses whose responses have no body. */
const BODILESS = new Set([101, 204, 205, 304]);

/* The lower half of a zlib stream's first byte. Some servers send "deflate" without that head. */
const ZLIB_METHOD = 8;

/* By content encoding: makes the decoder for a body that begins with these bytes. */
const DECODERS: Record<string, (first: Uint8Array) => NodeJS.ReadWriteStream> = {
  gzip: () => createUnzip(),
  "x-gzip": () => createUnzip(),
  deflate: ([byte = 0]) => ((byte & 15) === ZLIB_METHOD ? createInflate() : createInflateRaw()),
  br: () => createBrotliDecompress(),
  zstd: () => createZstdDecompress(),
};
function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers();
  for (let i = 0; i < rawHeaders.length; i += 2)
    headers.append(rawHeaders[i] ?? "", rawHeaders[i + 1] ?? "");
  return headers;
}

/* Decodes once there is something to decode: a body may be empty whatever its encoding is. */
function decodedBy(
  source: Readable,
  make: (first: Uint8Array) => NodeJS.ReadWriteStream,
): Readable {
  const plain = new PassThrough();
  const look = (): void => {
    const first: Buffer | null = source.read();
    if (first === null) return; // the end, which comes below
    source.off("readable", look).off("end", end);
    source.unshift(first);
    pipeline(source, make(first), plain, () => {}); // its failures end plain with them
  };
  const end = (): void => void plain.end();
  source.on("readable", look).on("end", end);
  source.on("error", (error) => plain.destroy(error));
  return plain;
}

/* Undoes the content encodings, the last one first. */
function decoded(answer: IncomingMessage, encodings: string[]): Readable {
  let stream: Readable = answer;
  for (const name of encodings.toReversed()) {
    const make = DECODERS[name];
    if (!make) break;
    stream = decodedBy(stream, make);
  }
  return stream;
}

function bodyOf(answer: IncomingMessage, { init, signal }: ResponseContext): ReadableStream {
  const encodings = (answer.headers["content-encoding"] ?? "")
    .split(",")
    .map((name) => name.trim().toLowerCase())
    .filter(Boolean);
  const stream = init.decompress === false ? answer : decoded(answer, encodings);
  const abort = (): void => {
    stream.destroy(signal?.reason); // first: the one that the reader hears of
    answer.destroy();
  };
  signal?.addEventListener("abort", abort, { once: true });
  stream.once("close", () => signal?.removeEventListener("abort", abort));
  return Readable.toWeb(stream);
}

/* Makes a Response tell what its constructor does not take, and its copies as well. */
function described(response: Response, facts: Readonly<Record<string, unknown>>): Response {
  const clone = response.clone.bind(response);
  const blob = async (): Promise<Blob> => {
    const type = response.headers.get("content-type") ?? "";
    return new Blob([await response.arrayBuffer()], { type });
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- TypeScript takes it for undici's
  const copy = (): Response => described(clone() as unknown as Response, facts);
  describe(response, { ...facts, blob, clone: copy });
  return response;
}

/** Makes a Response of an answer of node:http; its body streams. */
export function responseOf(answer: IncomingMessage, context: ResponseContext): Response {
  const { statusCode: status = 0, statusMessage: statusText = "" } = answer;
  const isEmpty = BODILESS.has(status) || context.method === "HEAD";
  if (isEmpty) answer.resume();
  const body = isEmpty ? null : bodyOf(answer, context);
  const response = new Response(body, { status, statusText, headers: headersOf(answer) });
  const url = new URL(context.url);
  url.hash = "";
  return described(response, { url: url.href, redirected: context.redirected });
}
