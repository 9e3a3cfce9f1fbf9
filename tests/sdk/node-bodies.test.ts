/* What a server of node:http reads of its clients, and when. */
import { expect, test } from "bun:test";
import * as http from "node:http";
import { connect } from "node:net";
import { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { nodeListen } from "@xsocket/client";
import { eventually, startServer } from "../harness/index.ts";
import { portOf } from "./observed.ts";

test("a body that a node:http server does not read stays with the client", async () => {
  await using server = await startServer();
  const length = 64 * 1024 * 1024;
  const asked = Promise.withResolvers<[http.IncomingMessage, http.ServerResponse]>();
  await using web = http.createServer((request, response) => {
    if (request.method === "GET") response.end("next");
    else asked.resolve([request, response]);
  });
  await nodeListen(web, { via: server.path, host: "127.0.0.1" });
  const client = connect(portOf(web), "127.0.0.1");
  client.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${length}\r\n\r\n`);
  const taken = new Promise<string>((resolve) => {
    client.write(Buffer.alloc(length), () => resolve("taken"));
  });
  client.end("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
  const [request, response] = await asked.promise;
  expect(await Promise.race([taken, Bun.sleep(500).then(() => "waits")])).toBe("waits");
  let seen = 0;
  for await (const chunk of request) seen += chunk.length;
  response.end(String(seen));
  const answer = (await client.toArray()).join("");
  expect(answer).toContain(`\r\n\r\n${length}HTTP/1.1 200 OK`);
  expect(answer).toEndWith("\r\n\r\nnext");
});

/** Fails at the first chunk, after a while. */
const FAILS = {
  async write(_: unknown, __: string, done: (error?: Error) => void): Promise<void> {
    await Bun.sleep(50);
    done(new Error("no room"));
  },
};

test.each<[string, (request: http.IncomingMessage) => Promise<unknown>]>([
  ["by its reader", (request) => request.take(1).toArray()],
  ["by its destination", (request) => pipeline(request, new Writable(FAILS)).catch(() => {})],
])("the rest of a body that is given up %s does not hold up the next request", async (_, read) => {
  await using server = await startServer();
  const length = 8 * 1024 * 1024;
  await using web = http.createServer(async (request, response) => {
    if (request.method === "POST") await read(request);
    response.end(request.method);
  });
  await nodeListen(web, { via: server.path, host: "127.0.0.1" });
  const client = connect(portOf(web), "127.0.0.1");
  client.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${length}\r\n\r\n`);
  client.write(Buffer.alloc(length));
  client.write("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
  expect((await client.toArray()).join("")).toMatch(/\r\n\r\nPOST.*\r\n\r\nGET$/s);
});

test.each([
  ["in full", 70_000, 70_000],
  ["in part", 200_000, 1000],
])("an unread body that has arrived %s makes way for the next request", async (_, bytes, first) => {
  await using server = await startServer();
  await using web = http.createServer((request, response) => response.end(request.url));
  await nodeListen(web, { via: server.path, host: "127.0.0.1" });
  const body = "b".repeat(bytes); // more than a request buffers for its reader
  const client = connect(portOf(web), "127.0.0.1");
  let answers = "";
  client.on("data", (data) => void (answers += data.toString()));
  const head = `POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${bytes}\r\n\r\n`;
  client.write(head + body.slice(0, first));
  await eventually("an answer", () => answers.includes("200 OK"));
  const next = "GET /next HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
  client.write(body.slice(first) + next);
  await eventually("the next one", () => answers.endsWith("/next"));
});

test("a slow reader gets the whole body even if the request is answered at once", async () => {
  await using server = await startServer();
  const { promise, resolve } = Promise.withResolvers<string>();
  let seen = "";
  await using web = http.createServer((request, response) => {
    request.on("data", (chunk) => {
      seen += String(chunk);
      request.pause();
      setTimeout(() => request.resume(), 20);
    });
    request.on("end", () => resolve(seen));
    response.end();
  });
  await nodeListen(web, { via: server.path, host: "127.0.0.1" });
  const client = connect(portOf(web), "127.0.0.1").resume();
  const head = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
  client.write(`${head}3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n`);
  expect(await promise).toBe("onetwo");
  client.destroy();
});

test("a node:http server takes no more requests from a client that does not read the answers", async () => {
  await using server = await startServer();
  const count = 20_000;
  const page = "p".repeat(3000);
  let taken = 0;
  await using web = http.createServer((_, response) => {
    taken += 1;
    response.end(page);
  });
  await nodeListen(web, { via: server.path, host: "127.0.0.1" });
  const client = connect(portOf(web), "127.0.0.1");
  client.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n".repeat(count - 1));
  client.write("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
  await eventually("requests to come", () => taken > 0);
  await Bun.sleep(500);
  expect(taken).toBeLessThan(count / 2);
  const answers = (await client.toArray()).join("");
  expect(answers.split(page)).toHaveLength(count + 1);
  expect(taken).toBe(count);
});
