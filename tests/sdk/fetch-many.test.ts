/* More requests at once than fetch has under way. */
import { expect, test } from "bun:test";
import { fetchVia, serve } from "@xsocket/client";
import { eventually, guardDescriptors, startServer } from "../harness/index.ts";

guardDescriptors();

const MOST = 256;

/* A server that answers once it is let go. */
async function heldBack(via: string) {
  const { promise, resolve: go } = Promise.withResolvers<void>();
  const asked: string[] = [];
  const web = await serve({
    via,
    hostname: "127.0.0.1",
    port: 0,
    async fetch({ url }) {
      asked.push(new URL(url).pathname);
      await promise;
      return new Response(url);
    },
  });
  return { web, asked, go, at: (path: number) => `http://127.0.0.1:${web.port}/${path}` };
}

test("of many requests as many are under way as with fetch", async () => {
  await using server = await startServer();
  const { web, asked, go, at } = await heldBack(server.path);
  using there = fetchVia(server.path);
  const paths = Array.from({ length: 600 }, (_, i) => i);
  const late = new AbortController();
  const answers = paths.map(async (path) => (await there(at(path))).text());
  const given = there(at(600), { signal: late.signal });
  await eventually("the first to be asked", () => asked.length === MOST, 20_000);
  late.abort("late"); // while it waits for its turn
  expect(await given.catch((reason: unknown) => reason)).toBe("late");
  expect(asked).toHaveLength(MOST);
  go();
  expect(await Promise.all(answers)).toEqual(paths.map(at));
  expect(asked).toHaveLength(600);
  await web.stop(true);
});

test("a fetch that is disposed of ends what waits for its turn", async () => {
  await using server = await startServer();
  const { web, asked, at } = await heldBack(server.path);
  const there = fetchVia(server.path);
  const answers = Array.from({ length: 300 }, (_, i) => there(at(i)));
  await eventually("the first to be asked", () => asked.length === MOST, 20_000);
  there[Symbol.dispose]();
  const outcomes = await Promise.allSettled(answers);
  const codes = outcomes.map((one) => one.status === "rejected" && one.reason.code);
  expect(codes.slice(0, MOST)).toEqual(Array<string>(MOST).fill("ECONNRESET"));
  expect(codes.slice(MOST)).toEqual(Array<string>(300 - MOST).fill("ECANCELED"));
  expect(asked).toHaveLength(MOST);
  await web.stop(true);
});
