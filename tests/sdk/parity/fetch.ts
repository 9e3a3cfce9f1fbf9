/* Requests to the web servers of web.ts: see api.ts. */
import { doFetch, outcome, play } from "./api.ts";
import { PORTS } from "./ports.ts";

const { CERT: ca = "" } = process.env;
const plain = `http://127.0.0.1:${PORTS.plain}`;
const secure = `https://127.0.0.1:${PORTS.secure}`;

async function text(path: string, init?: BunFetchRequestInit): Promise<string> {
  const url = path.startsWith("http") ? path : `${plain}${path}`;
  return (await doFetch(url, init)).text();
}

function streamOf(...parts: unknown[]): ReadableStream {
  return new ReadableStream({
    async pull(sink) {
      await Bun.sleep(2);
      const part = parts.shift();
      if (part === undefined) sink.close();
      else sink.enqueue(part);
    },
  });
}

async function* generated(): AsyncGenerator<string> {
  yield "a";
  await Bun.sleep(2);
  yield "b";
}

function endless(): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(sink) {
      await Bun.sleep(5);
      sink.enqueue(new Uint8Array(10));
    },
  });
}

function aborting(ms: number): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), ms);
  return controller.signal;
}

async function each<T>(list: readonly T[], of: (one: T) => Promise<unknown>): Promise<unknown[]> {
  const all = [];
  for (const one of list) all.push(await outcome(of(one)));
  return all;
}

const form = new FormData();
form.append("name", "é");
form.append("file", new File(["content"], "a.txt", { type: "text/plain" }));
const BODIES: Bun.BodyInit[] = [
  "sé",
  Buffer.from("bytes"),
  new Blob(["blob"], { type: "x/y" }),
  new URLSearchParams({ a: "1 2" }),
  "",
];
const BYTES = new TextEncoder().encode("bytes");
const PARTS = [BYTES.buffer, new DataView(BYTES.buffer, 1, 2), new Uint16Array([65]), "", "é"];

const TYPES = [
  "multipart/form-data; boundary=BoundarY",
  "text/html; charset=utf-8",
  "application/x-www-form-urlencoded",
  "application/json",
  "own/type",
];

const INHERITED: object = Object.create({ ca });

function toEcho(init: RequestInit): Request {
  return new Request(`${plain}/echo`, init);
}

function refuse(): never {
  throw new Error("nor that one");
}

await play({
  "a response": async () => {
    const response = await doFetch(`${plain}/echo`, { headers: { "x-a": "1" } });
    const { status, ok, url, redirected, type, bodyUsed } = response;
    const told = [status, ok, url, redirected, type, bodyUsed, Object.keys(response)];
    return [...told, await response.json(), response.bodyUsed];
  },
  methods: () =>
    each(["POST", "PUT", "patch", "DELETE", "OPTIONS", "HEAD", "QUERY"], (method) =>
      text("/echo", { method }),
    ),
  bodies: () => each(BODIES, (body) => text("/echo", { method: "POST", body })),
  "bodies of other types": () =>
    each([5, false, { a: 1 }, [1, 2], () => "x", generated, generated()], (body) => {
      const init: object = { method: "POST", body };
      return text("/echo", init);
    }),
  streams: async () => [
    await text("/echo", { method: "POST", body: streamOf("a", "b") }),
    await text("/echo", { method: "POST", body: streamOf(...PARTS) }),
    ...(await each(["DELETE", "OPTIONS", "QUERY"], (method) =>
      text("/echo", { method, body: streamOf("a", "b") }),
    )),
    await text("/form", { method: "POST", body: form }),
    await text("/echo", { method: "POST", body: Bun.file(import.meta.path).slice(0, 5) }),
    await text("/echo", { method: "POST", body: Bun.file("/dev/null") }),
  ],
  "the header connection": () =>
    each([undefined, "close", "upgrade", "other"], (connection) =>
      each([undefined, true, false], (keepalive) => {
        const init: object = { keepalive, headers: connection ? { connection } : {} };
        return text("/echo", init);
      }),
    ),
  "headers that come twice": () =>
    each(["x-a", "cookie", "set-cookie"], (name) => {
      const headers: [string, string][] = [
        [name, "a=1"],
        [name, "b=2"],
      ];
      return text("/echo", { headers });
    }),
  "the header trailer": () =>
    each(["whole", streamOf("a")], async (body) => {
      const headers = { trailer: "x-later" };
      return (await doFetch(plain, { method: "POST", body, headers })).status;
    }),
  "a request": async () => {
    const init = { method: "POST", body: "whole", headers: { "x-r": "1" } };
    const request = toEcho(init);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- TypeScript takes it for undici's
    const copy = request.clone() as unknown as Request;
    const first = await (await doFetch(request)).text();
    const used = [request.bodyUsed, await outcome(doFetch(request))];
    const changed = await doFetch(copy, { method: "PUT", headers: { "x-o": "2" }, body: "other" });
    return [first, used, await changed.text()];
  },
  "a request of which the headers are others": () =>
    each([form, new URLSearchParams("a=b"), new Blob(["b"], { type: "x/y" }), "text"], (body) =>
      each([undefined, {}, { "x-o": "2" }, { "content-type": "o/p" }], (headers) =>
        each([{}, { "content-type": "r/q" }], async (own) => {
          const request = toEcho({ method: "POST", body, headers: own });
          const answer = await doFetch(request, headers ? { headers } : {});
          return (await answer.text()).replaceAll(/-{4}[\w-]+/g, "boundary");
        }),
      ),
    ),
  "a request of which undefined and null change more or less": async () => {
    const init = { method: "POST", body: "whole", headers: { "x-r": "1" } };
    const nothing: object = { method: undefined, headers: undefined, body: undefined };
    const noSignal: object = { signal: undefined };
    const request = (signal: AbortSignal | null = null): Request => toEcho({ ...init, signal });
    return [
      await (await doFetch(request(), nothing)).text(),
      await (await doFetch(request(), { body: null })).text(),
      await (await doFetch(request(AbortSignal.abort()), { signal: null })).text(),
      await outcome(doFetch(request(AbortSignal.abort()), noSignal)),
    ];
  },
  "a request in place of the options of another": async () => {
    const one = (signal: AbortSignal | null = null): Request =>
      toEcho({ method: "PUT", body: "one", headers: { "x-r": "1" }, signal });
    const cases: [Request, Request][] = [
      [one(), toEcho({ method: "POST", body: "other", headers: { "x-o": "2" } })],
      [toEcho({}), toEcho({ method: "POST", body: streamOf("a", "b") })],
      [one(), toEcho({ method: "POST" })],
      [one(), toEcho({ headers: { "x-o": "2" } })],
      [one(AbortSignal.abort()), toEcho({})],
      [toEcho({}), one(AbortSignal.abort())],
    ];
    return each(cases, async ([first, second]) => (await doFetch(first, second)).text());
  },
  "a GET with a body": () =>
    each(["x", "", new Uint8Array(0), new Blob([])], async (body) => {
      const { status } = await doFetch(plain, { method: "GET", body });
      return status;
    }),
  redirects: () =>
    each([301, 302, 303, 307, 308], async (status) => {
      const init = { method: "POST", body: "again", headers: { "x-k": "1" } };
      const response = await doFetch(`${plain}/to/${status}`, init);
      return [response.redirected, response.url, await response.json()];
    }),
  "redirects of a HEAD": () =>
    each([302, 303], (status) => text(`/to/${status}`, { method: "HEAD" })),
  "redirects of a stream": () =>
    each([301, 302, 303, 307, 308], async (status) => {
      const init = { method: "POST", body: streamOf("a", "b") };
      const following = doFetch(`${plain}/to/${status}`, init);
      return following.then(
        (response) => response.json(),
        (error: unknown) => error instanceof TypeError,
      );
    }),
  "redirects that are not followed": () =>
    each(["loop", "nonsense", "ftp"], (path) => doFetch(`${plain}/${path}`)),
  "a request that says so does not follow one": async () =>
    (await doFetch(new Request(`${plain}/to/302`, { redirect: "manual" }))).status,
  "a redirect to nowhere": () =>
    each(["follow", "manual", "error"] as const, async (redirect) => {
      const { status } = await doFetch(`${plain}/there`, { redirect });
      return status;
    }),
  "many redirects": () => each([100, 126, 127], (left) => text(`/left/${left}`)),
  "as many redirects as allowed": () =>
    each([0, 1, 2, 3, 1000, -1, 1.5, "2", true], (most) => {
      const init: object = { maxRedirects: most };
      return text("/left/2", init);
    }),
  "options that a request has of its own": () =>
    each(
      [
        ["/left/2", { maxRedirects: 1 }],
        ["/left/2", { maxRedirects: 2 }],
        ["/encoded/gzip", { decompress: false }],
        ["/left/0", { tls: null, proxy: null, unix: null, verbose: null, protocol: null }],
      ] as const,
      async ([path, own]) => {
        const request = Object.assign(new Request(plain + path), own);
        return (await doFetch(request)).text();
      },
    ),
  "0 allowed, and none followed": () =>
    each(["manual", "error"] as const, async (redirect) => {
      const { status } = await doFetch(`${plain}/to/302`, { redirect, maxRedirects: 0 });
      return status;
    }),
  "to HTTPS, and to another origin": async () => [
    await text("/secure", { tls: { ca }, headers: { authorization: "mine" } }),
    await text("/other", { headers: { authorization: "mine", cookie: "a=b", "x-k": "1" } }),
  ],
  "credentials of the URL, of a redirect, and of a header": async () => {
    const origin = `127.0.0.1:${PORTS.plain}`;
    const there = (at: string): string => `http://me:p%C3%BC@${origin}/there?at=${at}`;
    return [
      ...(await each(
        [
          `http://me@${origin}/echo`,
          `http://%zz:p@${origin}/echo`,
          there("/echo"),
          there(`${plain}/echo`),
        ],
        (url) => text(url),
      )),
      await text(there(`http://127.0.0.1:${PORTS.other}/echo`)),
      await text(there(`http://you:q@${origin}/echo`)),
      await text(`/there?at=http://you:q@${origin}/echo`),
      await text(there(`${plain}/echo`), { headers: { authorization: "mine" } }),
    ];
  },
  encodings: () =>
    each(["gzip", "deflate", "raw", "br", "zstd", "identity", "empty", "unknown"], (name) =>
      text(`/encoded/${name}`),
    ),
  "TLS of all kinds": () =>
    each(
      [
        {},
        { ca },
        { rejectUnauthorized: false },
        { ca, serverName: "web.test" },
        { ca, serverName: "other.test" },
        { ca, checkServerIdentity: () => new Error("not that one") },
        { ca, checkServerIdentity: refuse },
        INHERITED,
        {},
      ],
      (tls) => text(`${secure}/echo`, { tls }),
    ),
  "an error of the caller's own check of a certificate": () => {
    const refusal = Object.assign(new RangeError("not pinned"), { code: "PIN" });
    const throwing = (): never => {
      throw refusal;
    };
    return each([() => refusal, throwing], (checkServerIdentity) =>
      text(`${secure}/echo`, { tls: { ca, checkServerIdentity } }).catch(
        (error: unknown) => error === refusal,
      ),
    );
  },
  aborts: async () => [
    await outcome(text("/slow", { signal: aborting(20) })),
    await outcome(text("/slow", { signal: AbortSignal.timeout(20) })),
    await outcome(text("/slow", { signal: AbortSignal.abort() })),
    await outcome(text("/endless", { signal: aborting(50) })),
    await outcome(text("/echo", { method: "POST", body: endless(), signal: aborting(50) })),
    await outcome(doFetch(new Request(`${plain}/slow`, { signal: aborting(20) }))),
  ],
  "what a reader that does not read is told of an abort": () =>
    each([undefined, null, "over"], async (reason) => {
      const controller = new AbortController();
      const { body } = await doFetch(`${plain}/endless`, { signal: controller.signal });
      const closed = body?.getReader().closed;
      controller.abort(reason);
      return Promise.race([closed, Bun.sleep(2000).then(() => "nothing")]);
    }),
  "the body of a request that is aborted before it is sent": () =>
    each([false, true], async (isOver) => {
      const told: unknown[] = [];
      const source = {
        pull: () => void told.push("pull"),
        cancel: (why: unknown) => void told.push(why),
      };
      const body = new ReadableStream(source, { highWaterMark: 0 });
      const controller = new AbortController();
      if (isOver) controller.abort("over");
      const sending = doFetch(`${plain}/echo`, { method: "POST", body, signal: controller.signal });
      controller.abort("later");
      await outcome(sending);
      const request = toEcho({ method: "POST", body: streamOf("a"), signal: controller.signal });
      return [told, await outcome(doFetch(request)), request.bodyUsed];
    }),
  "a request of which the headers and the body are others": async () => {
    const request = toEcho({ method: "POST", body: form });
    return (await doFetch(request, { headers: { "x-o": "2" }, body: BYTES })).text();
  },
  "the stream of a request of which the headers are others, when it is aborted": () =>
    each([{}, { "content-type": "r/q" }], async (headers) => {
      const told: unknown[] = [];
      const body = new ReadableStream({ cancel: (why) => void told.push(why) });
      const controller = new AbortController();
      const init = { headers: { "x-o": "2" }, signal: controller.signal };
      const sending = doFetch(toEcho({ method: "POST", body, headers }), init);
      controller.abort("later");
      await outcome(sending);
      return "content-type" in headers ? told.length : told; // there the SDK has to copy the stream
    }),
  "raw answers": () =>
    each(Object.keys(PORTS.raw), (name) => text(`http://127.0.0.1:${PORTS.raw[name]}/`)),
  copies: async () => {
    const response = await doFetch(`${plain}/echo`);
    const copy = response.clone();
    const { type } = await response.clone().blob();
    return [copy.url === response.url, (await copy.text()) === (await response.text()), type];
  },
  "types of blobs": () =>
    each(TYPES, async (type) => {
      const response = await doFetch(`${plain}/typed?type=${encodeURIComponent(type)}`);
      return (await response.blob()).type;
    }),
  "no init, no port, no scheme": () =>
    each([`${plain}/echo`, "http://127.0.0.1:99999/", "/relative", "data:,here"], async (url) =>
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- JavaScript may give null
      (await doFetch(url, null as unknown as undefined)).text(),
    ),
  "an answer that takes longer than connections are kept": () => text("/slow"),
  "many at once": async () => {
    const paths = Array.from({ length: 200 }, (_, i) => `/path/${i}`);
    const answers = await Promise.all(paths.map((path) => text(path)));
    return answers.every((answer, i) => answer === `nothing at ${paths[i]}`);
  },
});
