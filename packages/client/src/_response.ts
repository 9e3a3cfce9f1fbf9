import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { createBrotliDecompress, createUnzip, createZstdDecompress } from "node:zlib";
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

const DECODERS: Record<string, () => NodeJS.ReadWriteStream> = {
  gzip: createUnzip,
  "x-gzip": createUnzip,
  deflate: createUnzip,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
};

function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers();
  for (let i = 0; i < rawHeaders.length; i += 2)
    headers.append(rawHeaders[i] ?? "", rawHeaders[i + 1] ?? "");
  return headers;
}

/* Undoes the content encodings, the last one first. */
function decoded(answer: IncomingMessage, encodings: string[]): Readable {
  let stream: NodeJS.ReadableStream = answer;
  for (const name of encodings.toReversed()) {
    const decoder = DECODERS[name]?.();
    if (!decoder) break;
    const source = stream;
    source.on("error", (error) => decoder.emit("error", error));
    stream = source.pipe(decoder);
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- streams of node:http and node:zlib are Readable
  return stream as Readable;
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

/** Makes a Response of an answer of node:http; its body streams. */
export function responseOf(answer: IncomingMessage, context: ResponseContext): Response {
  const { statusCode: status = 0, statusMessage: statusText = "" } = answer;
  const isEmpty = BODILESS.has(status) || context.method === "HEAD";
  if (isEmpty) answer.resume();
  const body = isEmpty ? null : bodyOf(answer, context);
  const response = new Response(body, { status, statusText, headers: headersOf(answer) });
  const url = new URL(context.url);
  url.hash = "";
  describe(response, { url: url.href, redirected: context.redirected });
  return response;
}
