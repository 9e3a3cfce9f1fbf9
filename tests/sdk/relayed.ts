/*
 * A program of relay.test.ts: serves until its input ends, in a process that needs a relay and has
 * a temporary directory of its own.
 */
import { readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename } from "node:path";
import { serve } from "@xsocket/client";

const [, , via = "", ...directories] = process.argv; // of certificates, named after their hosts
const certificates = directories.map((directory) => {
  const file = (name: string): string => readFileSync(`${directory}/${name}`, "utf8");
  return { key: file("key.pem"), cert: file("cert.pem"), serverName: basename(directory) };
});
const relays = (): string[] =>
  readdirSync(tmpdir()).filter((name) => name.startsWith("xsocket-relay-"));
const tls = certificates.length > 0 ? { tls: certificates } : { tls: {} }; // without a key it is none

const server = await serve<{ id: number }, "/static" | "/slow" | "/failing">({
  via,
  hostname: "127.0.0.1",
  port: 0,
  ...tls,
  idleTimeout: 1,
  routes: {
    "/static": new Response("static"),
    "/failing": () => new Response(failing()),
    async "/slow"(request, self) {
      self.timeout(request, 0); // else Bun.serve ends it, though its answer is still to come
      console.log("slow was asked for");
      await Bun.sleep(1500);
      return new Response("slow");
    },
  },
  async fetch(request, self) {
    if (self.upgrade(request, { data: { id: 7 } })) return undefined;
    const { address, family } = self.requestIP(request) ?? {};
    return Response.json([
      address,
      family,
      new URL(request.url).protocol,
      await request.text(),
      self.port,
    ]);
  },
  websocket: {
    open: (socket) => void socket.send(`welcome ${socket.remoteAddress}`),
    message: (socket, message) => void socket.send(`${socket.data.id} ${message.toString()}`),
  },
});
function failing(): ReadableStream<string> {
  return new ReadableStream({
    async pull(sink) {
      sink.enqueue("part");
      await Bun.sleep(20);
      sink.error(new Error("the rest will not come"));
    },
  });
}
if (relays().length !== 1) throw new Error(`${relays().length} relays`);
console.log(`port ${server.port}`);
for await (const chunk of Bun.stdin.stream()) if (chunk.length === 0) break;
await server.stop();
console.log(relays().length === 0 ? "left nothing" : "left its directory");
