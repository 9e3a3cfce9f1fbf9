/*
 * Nothing runs this: it is checked with all else by TypeScript. What has to be an error says so, and
 * options that may be undefined have to be taken under exactOptionalPropertyTypes.
 */
import {
  connect,
  type FetchVia,
  fetchVia,
  listen,
  serve,
  Session,
  udp,
  xsocket,
  type XSocketError,
} from "@xsocket/client";
import type { Server, Socket, TCPSocketListener } from "bun";

interface Mine {
  id: number;
}
const via: string | undefined = process.env["VIA"];
const hostname: string | undefined = process.env["HOST"];
const socket = { data() {} };

/** What programs for Node take an error for. */
export function asNode(error: XSocketError): NodeJS.ErrnoException {
  return error;
}

/** Types that Bun's own functions give as well. */
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

/** Options that are there or not. */
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

/** What has to be wrong already in the editor. */
export async function refused(): Promise<unknown[]> {
  return [
    // @ts-expect-error -- misspelt
    await xsocket({ vai: via }),
    // @ts-expect-error -- no such family
    await xsocket({ family: 5 }),
    // @ts-expect-error -- an IP socket it is
    await listen({ via, unix: "/x", socket }),
    // @ts-expect-error -- the descriptor comes from the server
    await connect({ via, hostname: "web", port: 1, fd: 3, socket }),
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
