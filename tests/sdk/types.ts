/*
 * Not run, only checked by TypeScript with all else: lines that must be an error are marked, and options
 * that may be undefined must be accepted under exactOptionalPropertyTypes.
 */
import {
  connect,
  type FetchVia,
  fetchVia,
  listen,
  serve,
  serveSync,
  Session,
  udp,
  xsocket,
  type XSocketError,
} from "@xsocket/client";
import type { Serve, Server, Socket, TCPSocketListener } from "bun";

interface Mine {
  id: number;
}
const via: string | undefined = process.env["VIA"];
const hostname: string | undefined = process.env["HOST"];
const socket = { data() {} };

/** Programs for Node treat errors as this type. */
export function asNode(error: XSocketError): NodeJS.ErrnoException {
  return error;
}

/** Results have the types of Bun's own functions. */
export async function sameTypes(): Promise<unknown[]> {
  const listener: TCPSocketListener<Mine> = await listen<Mine>({
    via,
    port: 0,
    data: { id: 1 },
    socket: { data: (self, data) => void self.write(data.subarray(self.data.id)) },
  });
  const connection: Socket = await connect({ via, host: "web", port: 1, socket });
  const server: Server<Mine> = await serve<Mine, "/user/:id">({
    via,
    port: 0,
    routes: { "/user/:id": ({ params }) => new Response(params.id) },
    fetch: (request, self) =>
      self.upgrade(request, { data: { id: 1 } })
        ? undefined
        : new Response(self.requestIP(request)?.address),
    websocket: { message: (self, message) => void self.send(message.slice(self.data.id)) },
  });
  const there: FetchVia = fetchVia(via);
  const asBuns: typeof fetch = there;
  const datagrams = await udp({
    via,
    socket: { data: (self, data, port) => void self.send(data, port, "web") },
  });
  datagrams.send("x", 1, "web");
  const bytes = await udp({
    via,
    binaryType: "uint8array",
    socket: { data: (self, data: Uint8Array) => void self.send(data, 1, "web") },
  });
  bytes.close();
  const peer = await udp({ via, connect: { hostname: "web", port: 1 } });
  peer.send("x");
  return [listener, connection, server, asBuns, peer.remoteAddress.port];
}

/** A handler's result is taken for the same type as with Bun.serve, also where `then` has to infer it. */
export async function sameResults(): Promise<unknown[]> {
  const slow = { fetch: () => Bun.sleep(1).then(() => new Response()) };
  return [
    Bun.serve({ port: 0, fetch: () => Bun.sleep(1).then(() => new Response()) }),
    await serve({ via, port: 0, fetch: () => Bun.sleep(1).then(() => new Response()) }),
    await serve({ via, port: 0, routes: {}, fetch: () => Bun.sleep(1).then(() => new Response()) }),
    await serve({ via, port: 0, ...slow }),
  ];
}

/** Options may be undefined. */
export async function maybeOptions(): Promise<unknown[]> {
  const limits = { signal: undefined, timeoutMs: undefined };
  return [
    await listen({ via, hostname, port: 1, socket, backlog: undefined, ...limits }),
    await connect({ via, hostname, port: 1, socket, localPort: undefined }),
    await serve({ via, backlog: undefined, fetch: () => new Response() }),
    await udp({ via, hostname, port: undefined, reusePort: undefined, reuseAddr: undefined }),
    await xsocket({ via, family: undefined, type: undefined, ...limits }),
    new Session({ via, idleMs: undefined }),
  ];
}

/** Options that a program has for Bun.serve serve there, too. */
export async function forBun(
  plain: Serve.Options<undefined>,
  chat: Serve.Options<Mine, "/user/:id">,
): Promise<unknown[]> {
  const mine: Server<Mine> = await serve({ via, ...chat });
  return [await serve({ via, ...plain }), serveSync({ via, ...plain, port: 0 }), mine];
}

/** What must already be an error in an editor. */
export async function refused(): Promise<unknown[]> {
  return [
    // @ts-expect-error -- misspelt
    await xsocket({ vai: via }),
    // @ts-expect-error -- no such family
    await xsocket({ family: 5 }),
    // @ts-expect-error -- IP sockets only
    await listen({ via, unix: "/x", socket }),
    // @ts-expect-error -- the descriptor comes from the server
    await connect({ via, hostname: "web", port: 1, fd: 3, socket }),
    // @ts-expect-error -- for listening
    await connect({ via, hostname: "web", port: 1, exclusive: true, socket }),
    // @ts-expect-error -- no port
    await connect({ via, hostname: "web", socket }),
    // @ts-expect-error -- as with listen
    await serve({ via, unix: "/x", fetch: () => new Response() }),
    // @ts-expect-error -- Bun makes that socket itself
    await serve({ via, http3: true, fetch: () => new Response() }),
    // @ts-expect-error -- a connected socket sends to its peer alone
    (await udp({ via, connect: { hostname: "web", port: 1 } })).send("x", 1, "web"),
  ];
}
