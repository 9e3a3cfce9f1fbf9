/*
 * A minimal HTTP server, enough to ask it for a page.
 *
 * How it works: a connection is for one request and ends with its reply. What a stranger can hold is
 * bounded, since each connection takes a descriptor that a client of the control socket may need: so
 * many connections at once, so long each, however slowly it sends or reads, and so long a request.
 * Bun.serve bounds none of that; node:http could, for 10 MB more of resident memory.
 */
import type { Socket, SocketHandler } from "bun";

const CONNECTIONS_MAX = 16; // at once; the next one is closed
const CONNECTION_MS = 10_000;
const REQUEST_BYTES_MAX = 8192;

/** What is answered to a request. */
export interface Page {
  readonly status: 200 | 400 | 404 | 405;
  readonly text: string;
  readonly type?: string;
}

/** Finds the page for a method and a path, which is without a query. */
type Answer = (method: string, path: string) => Page;

/** What is known of a connection. */
interface Asking {
  readonly deadline: ReturnType<typeof setTimeout>;
  request: string;
  /** What is still to be sent; undefined while the request is not whole. */
  reply: Uint8Array | undefined;
}

const REASONS = { 200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed" };
const REQUEST_LINE = /^([A-Z]+) (\S+) HTTP\/1\.[01]\r?\n/;
/* The path within a request's target. Apart from the line: one expression for all of it could backtrack for minutes. */
const TARGET = /^(?:http:\/\/[^/?]*)?([^?]*)/;
const HEAD_END = /\r?\n\r?\n/;

function replyTo(request: string, answer: Answer): Uint8Array {
  const [, method = "", target = ""] = REQUEST_LINE.exec(request) ?? [];
  const [, path = ""] = TARGET.exec(target) ?? [];
  const isWhole = method !== "" && HEAD_END.test(request);
  const page: Page = isWhole
    ? answer(method, path)
    : { status: 400, text: "this is not an HTTP request\n" };
  const { status, text, type = "text/plain; charset=utf-8" } = page;
  const head = [
    `HTTP/1.1 ${status} ${REASONS[status]}`,
    `Content-Type: ${type}`,
    `Content-Length: ${Buffer.byteLength(text)}`,
    "Connection: close",
  ];
  return Buffer.from(`${head.join("\r\n")}\r\n\r\n${method === "HEAD" ? "" : text}`);
}

function flush(socket: Socket<Asking>): void {
  const { reply } = socket.data;
  if (reply === undefined) return;
  const sent = socket.write(reply); // or -1, after which nothing else comes
  socket.data.reply = reply.subarray(sent);
  if (socket.data.reply.byteLength === 0) socket.end();
}

/** The handlers of a listener that serves pages. */
export function pageHandlers(answer: Answer): SocketHandler<Asking> {
  let open = 0;
  return {
    open(socket) {
      const deadline = setTimeout(() => socket.terminate(), CONNECTION_MS);
      socket.data = { deadline, request: "", reply: undefined };
      if (++open > CONNECTIONS_MAX) socket.terminate();
    },
    data(socket, bytes) {
      const { data } = socket;
      if (data.reply) return; // what follows a request is ignored
      data.request += bytes.toString("latin1");
      if (!HEAD_END.test(data.request) && data.request.length <= REQUEST_BYTES_MAX) return;
      data.reply = replyTo(data.request, answer);
      flush(socket);
    },
    drain: flush,
    error(socket) {
      socket.terminate();
    },
    close({ data }) {
      clearTimeout(data.deadline);
      open--;
    },
  };
}
