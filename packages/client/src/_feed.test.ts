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
  expect(await Promise.race([Promise.all(both), Bun.sleep(1000)])).toEqual([undefined, undefined]);
});
