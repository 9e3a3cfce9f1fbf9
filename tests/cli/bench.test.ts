import { expect, test } from "bun:test";
import { here, startServer, typed, XSOCKET, expectSentence } from "../harness/index.ts";

interface Row {
  readonly title: string;
  readonly measured: { readonly perSecond: number; readonly p50: number; readonly p99: number };
}

test("bench prints measurements as a table or as JSON", async () => {
  await using server = await startServer({ place: "own" });
  const bench = [XSOCKET, "bench", "--seconds", "0.1", server.path];
  const table = await here.run(bench);
  expect(table).toMatchObject({ code: 0, stderr: "" }); // no progress bar in a pipe
  expect(table.stdout).toMatch(/^ +per second +median +99 of 100 within$/m);
  expect(table.stdout.match(/ +[\d,]+ +[\d.]+ µs +[\d.]+ µs$/gm)).toHaveLength(4);

  const { stdout } = await here.run([...bench, "--json"]);
  const rows: Row[] = JSON.parse(stdout);
  expect(rows.map(({ title }) => title)).toEqual([
    "socket(2) of this namespace, to compare",
    "xsocket(), a connection for each",
    "on a kept connection",
    "on a kept connection, 8 at a time",
  ]);
  for (const { measured } of rows) {
    expect(measured.perSecond).toBeGreaterThan(10);
    expect(measured.p99).toBeGreaterThanOrEqual(measured.p50);
  }
});

test("draws a progress bar only on a terminal and erases it at the end", async () => {
  await using server = await startServer();
  const bench = `${typed(XSOCKET)} bench --seconds 0.1 ${server.path} >/dev/null`;
  const shown = async (TERM: string) => {
    const command = `stty cols 40; ${bench}`;
    return (await here.run(["script", "-qec", command, "/dev/null"], { env: { TERM } })).stdout;
  };
  const bar = await shown("xterm");
  expect(bar).toContain("[##");
  const lines = bar.split("\r\u001B[K").map((line) => line.length);
  expect(Math.max(...lines)).toBe(39); // one line, which can be erased
  expect(bar.trimEnd().endsWith("\u001b[K")).toBe(true);
  expect(await shown("dumb")).toBe(""); // such a terminal, as in an editor, could not erase it
});

test("reports a server that refuses further sockets", async () => {
  await using server = await startServer({ args: ["--sockets-per-minute", "9"] });
  const says = `xsocket: the measurement was interrupted (xsocket: EPERM): the log of the server at ${server.path} says why\n`;
  expectSentence(await here.run([XSOCKET, "bench", server.path]), 1, says);
});
