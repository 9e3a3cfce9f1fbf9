import { expect, test } from "bun:test";
import * as http from "node:http";
import { Socket } from "node:net";
import { Connections } from "./_feed.ts";

test("two calls of drain() both resolve when the last connection closes", async () => {
  const connections = new Connections(http.createServer());
  const socket = new Socket();
  connections.add(socket);
  const both = [connections.drain(), connections.drain()];
  socket.destroy();
  expect(await Promise.all(both)).toEqual([undefined, undefined]);
});

test("an upgraded connection is the handler's as long as one of several handlers is left", async () => {
  const server = http.createServer();
  const connections = new Connections(server);
  const handlers = [() => {}, () => {}] as const;
  for (const handler of handlers) server.on("upgrade", handler);
  server.off("upgrade", handlers[0]);
  const socket = new Socket();
  connections.add(socket);
  server.emit("upgrade", undefined, socket);
  await connections.drain();
});
