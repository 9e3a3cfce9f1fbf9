/* Many requests at once. */
import { expect, test } from "bun:test";
import { getEventListeners } from "node:events";
import { fetchVia, listen, serve } from "@xsocket/client";
import { eventually, startServer } from "../harness/index.ts";

const hostname = "127.0.0.1";
const MANY = 300;
const MOST = 256;

/* A peer that never answers the TLS handshake, and its open connections. */
async function silentPeer(via: string) {
  const open = new Set<Bun.Socket>();
  const peer = await listen({
    via,
    hostname,
    port: 0,
    socket: {
      open: (socket) => void open.add(socket),
      data() {},
      close: (socket) => void open.delete(socket),
    },
  });
  return { peer, open, url: `https://${hostname}:${peer.port}/` };
}

test("at most 256 requests connect at once, and one that waits can be aborted", async () => {
  await using server = await startServer();
  const { peer, open, url } = await silentPeer(server.path);
  using there = fetchVia(server.path, { timeoutMs: 60_000 });
  const { signal } = new AbortController();
  const ask = () => there(url, { signal }).catch(({ code }) => code);
  const codes = Array.from({ length: MANY }, ask);
  const late = new AbortController();
  const given = there(url, { signal: late.signal }).catch((reason: unknown) => reason);
  await eventually("the first to connect", () => open.size >= MOST, 20_000);
  late.abort("late"); // while it waits for its turn
  expect(await given).toBe("late");
  expect(open.size).toBe(MOST);
  for (const socket of open) socket.terminate();
  await eventually("the others to connect", () => open.size === MANY - MOST, 20_000);
  for (const socket of open) socket.terminate();
  expect(await Promise.all(codes)).toEqual(Array<string>(MANY).fill("ECONNRESET"));
  expect(getEventListeners(signal, "abort")).toBeEmpty();
  peer.stop(true);
});

test("dispose ends requests that wait to connect with ECANCELED", async () => {
  await using server = await startServer();
  const { peer, open, url } = await silentPeer(server.path);
  const there = fetchVia(server.path, { timeoutMs: 60_000 });
  const codes = Array.from({ length: MANY }, () => there(url).catch(({ code }) => code));
  await eventually("the first to connect", () => open.size >= MOST, 20_000);
  there[Symbol.dispose]();
  expect((await Promise.all(codes)).slice(MOST)).toEqual(
    Array<string>(MANY - MOST).fill("ECANCELED"),
  );
  await eventually("all to close", () => open.size === 0, 20_000);
  peer.stop(true);
});

test("requests that wait for their answers do not count towards the 256 that connect", async () => {
  await using server = await startServer();
  const { promise, resolve } = Promise.withResolvers<void>();
  let asked = 0;
  const fetch = async (): Promise<Response> => {
    if (++asked === MANY) resolve();
    await promise;
    return new Response("at last");
  };
  using web = await serve({ via: server.path, hostname, port: 0, fetch });
  using there = fetchVia(server.path, { timeoutMs: 60_000 });
  const url = `http://${hostname}:${web.port}/`;
  const answers = Array.from({ length: MANY }, async () => (await there(url)).text());
  expect(await Promise.all(answers)).toEqual(Array<string>(MANY).fill("at last"));
});
