/* The web servers that fetch.ts talks to, all at 127.0.0.1. */
import {
  brotliCompressSync,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from "node:zlib";
import { PORTS } from "./ports.ts";

const { KEY: key = "", CERT: cert = "" } = process.env;
const hostname = "127.0.0.1";
const TEXT = Buffer.from("hello ".repeat(50));

function encoded(name: string, bytes: Uint8Array): Response {
  return new Response(Uint8Array.from(bytes), { headers: { "content-encoding": name } });
}

const ENCODED: Record<string, () => Response> = {
  gzip: () => encoded("gzip", gzipSync(TEXT)),
  deflate: () => encoded("deflate", deflateSync(TEXT)),
  raw: () => encoded("deflate", deflateRawSync(TEXT)),
  br: () => encoded("br", brotliCompressSync(TEXT)),
  zstd: () => encoded("zstd", zstdCompressSync(TEXT)),
  identity: () => encoded("gzip, identity", gzipSync(TEXT)),
  empty: () => encoded("gzip", Buffer.alloc(0)),
  unknown: () => encoded("tape", TEXT),
};

function redirect(location: string, status = 302): Response {
  return new Response(null, { status, headers: { location } });
}

/* The request as received, without the headers that differ between the programs. */
async function echo(request: Request): Promise<Response> {
  const headers = Object.fromEntries(request.headers);
  for (const name of ["host", "user-agent"]) delete headers[name];
  const cookies = request.headers.getSetCookie();
  return Response.json([request.method, headers, cookies, await request.text()]);
}

function typed(request: Request): Response {
  const headers = { "content-type": new URL(request.url).searchParams.get("type") ?? "" };
  return new Response(Buffer.from("text"), { headers });
}

async function describeForm(request: Request): Promise<Response> {
  const fields = [...(await request.formData())];
  return Response.json(
    fields.map(([name, value]) => [name, value instanceof File ? value.name : value]),
  );
}

const endless = (): ReadableStream<string> =>
  new ReadableStream({
    async pull(sink) {
      await Bun.sleep(5);
      sink.enqueue("and so on");
    },
  });

const options = {
  hostname,
  routes: {
    "/echo": echo,
    "/form": describeForm,
    "/typed": typed,
    "/to/:status": ({ params }: Bun.BunRequest<"/to/:status">) =>
      redirect("/echo", Number(params.status)),
    "/loop": () => redirect("/loop"),
    "/left/:count": ({ params }: Bun.BunRequest<"/left/:count">) =>
      redirect(params.count === "1" ? "/echo" : `/left/${Number(params.count) - 1}`),
    "/nonsense": () => redirect("http://["),
    "/ftp": () => redirect("ftp://127.0.0.1/"),
    "/secure": () => redirect(`https://127.0.0.1:${PORTS.secure}/echo`, 307),
    "/there": ({ url }: Request) => redirect(new URL(url).searchParams.get("at") ?? ""),
    "/other": () => redirect(`http://127.0.0.1:${PORTS.other}/echo`),
    "/encoded/:name": ({ params }: Bun.BunRequest<"/encoded/:name">) =>
      ENCODED[params.name]?.() ?? new Response(null, { status: 404 }),
    "/endless": () => new Response(endless()),
    async "/slow"() {
      await Bun.sleep(5000);
      return new Response("slow");
    },
  },
  fetch: ({ url }: Request) => new Response(`nothing at ${new URL(url).pathname}`),
};
for (const port of [PORTS.plain, PORTS.other]) Bun.serve({ port, ...options });
Bun.serve({ port: PORTS.secure, tls: { key, cert }, ...options });

const RAW: Record<string, string> = {
  trailers:
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2\r\nhi\r\n0\r\nX: y\r\n\r\n",
  hints:
    "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
  "no length": "HTTP/1.1 200 OK\r\n\r\nuntil the end",
  "HTTP/1.0": "HTTP/1.0 200 OK\r\n\r\nold",
  nothing: "",
};
for (const [name, port] of Object.entries(PORTS.raw))
  Bun.listen({ hostname, port, socket: { data: (socket) => void socket.end(RAW[name]) } });
console.log("ready");
