import { expect, test } from "bun:test";
import type { Benches, Load, Machine } from "./benches.ts";
import { goalsOf } from "./goals.ts";
import { page } from "./page.ts";
import { draw, ratePlot, sdkPlot, timePlot, xbindPlot } from "./plots.ts";

const MACHINE: Machine = { cpu: "A Processor", cores: 2, kernel: "6.1.2", bun: "1.2.3" };
const DATE = new Date("2026-01-02T03:04:05Z");

function load(
  mode: Load["mode"],
  server: string,
  perSecond: number,
  against: Load["against"] = {},
): Load {
  const figures = { requests: 9, failed: 0, perSecond, p50: 40, p99: 400, p999: 4000, cpu: 20 };
  return { mode, callers: 4, server, figures, against };
}

const BENCHES: Benches = {
  server: {
    rows: [
      load("call", "ours", 21000, { floor: 0.949, fork: 8 }),
      load("call", "floor", 22000),
      load("kept", "ours", 30000, { fork: 1.25 }),
    ],
    resident: [{ server: "ours, 1 thread", readyMs: 30, residentMb: 54 }],
    idle: {
      residentMb: 27,
      wakeUps: { "JSCWarmUp/77": 2 },
      connections: 10000,
      withoutUs: 40,
      withUs: 50,
      residentBytesEach: 160,
    },
  },
  xbind: [
    {
      what: "setsockopt A",
      without_ns: 400,
      with_ns: 430,
      more_ns: 30,
      ratio: 1.075,
      goal: "at most 60 ns more",
    },
    {
      what: "bind B",
      without_ns: 40000,
      with_ns: 140000,
      more_ns: 100000,
      ratio: 3.5,
      goal: "at most 3 times",
    },
    { what: "of it C", without_ns: 1, with_ns: 2, more_ns: 1, ratio: 2, goal: "" },
  ],
  sdk: {
    rows: [
      { what: "xsocket() in C", perSecond: 15000, p50: 60 },
      {
        what: "Session",
        perSecond: 24000,
        p50: 40,
        ratio: 1.6,
        of: "C's rate",
        goal: "at least 1.5",
      },
      { what: "serve", perSecond: 30000, ratio: 0.89, of: "Bun's rate", goal: "at least 0.9" },
    ],
  },
  dates: { server: DATE, xbind: DATE, sdk: DATE },
};

test("each goal has the ratio of its figure, and its verdict by the figure before rounding", () => {
  const { server, xbind, sdk } = goalsOf(BENCHES);
  const told = [...server, ...xbind, ...sdk].map(
    ({ measured, ratio, met }): [string, string, boolean] => [measured, ratio.toFixed(3), met],
  );
  expect(told).toEqual([
    ["0.95", "0.999", false],
    ["8.00", "1.000", true],
    ["1.25", "1.250", true],
    ["30 ms", "0.500", true],
    ["27 MB", "0.600", true],
    ["54 MB", "1.200", false],
    ["0", "0.000", true],
    ["1.25 times", "0.833", true],
    ["30 ns", "0.500", true],
    ["3.50 times", "1.167", false],
    ["1.60", "1.067", true],
    ["0.89", "0.989", false],
  ]);
});

test("a wake-up of our own thread is a goal missed, one of Bun's is not", () => {
  const idle = { ...BENCHES.server.idle, wakeUps: { "bun/1": 3, "HeapHelper/2": 1 } };
  const goals = goalsOf({ ...BENCHES, server: { ...BENCHES.server, idle } });
  expect(goals.server.find(({ what }) => what.startsWith("wake-ups"))).toMatchObject({
    measured: "3",
    met: false,
  });
});

test("a goal that cannot be parsed throws", () => {
  const xbind = BENCHES.xbind.map((row) => ({ ...row, goal: "fast" }));
  expect(() => goalsOf({ ...BENCHES, xbind })).toThrow('cannot tell what "fast"');
});

test("the page names the machine, counts the goals met, and names those missed", () => {
  const text = page(BENCHES, MACHINE);
  expect(text).toContain("A Processor, 2 cores, Linux 6.1.2, Bun 1.2.3");
  expect(text).toContain("6 of 8 are met.");
  expect(text).toContain("| bind B | at most 3 times | 3.50 times | 1.167 | **missed** |");
  expect(text).toMatch(
    /rate against floor \| at least 0\.95 \| 0\.95 \| 0\.999 \| \*\*missed\*\* \(load\) \|/,
  );
  expect(text).toContain("| 4 | floor | 22,000 | 40.0 | 400.0 | 4000.0 | 20.0 |  |  |");
  expect(text).toContain("JSCWarmUp (2)");
  expect(text).not.toMatch(/NaN|undefined|null/);
});

test.each([
  ["rate", ratePlot, ["floor", "kept-open connections"]],
  ["time", timePlot, ["p99.9", "microseconds"]],
  ["xbind", xbindPlot, ["setsockopt A", "bind B", "without"]],
  ["sdk", sdkPlot, ["Session", "HTTP answers per second"]],
] as const)("the picture %s is an SVG that names what it shows", async (_, plot, words) => {
  const svg = await draw(plot(BENCHES));
  expect(svg).toStartWith("<svg ");
  for (const word of words) expect(svg).toContain(word);
  expect(svg).not.toMatch(/NaN|undefined/);
});

test("drawing a plot twice gives the same picture", async () => {
  expect(await draw(ratePlot(BENCHES))).toBe(await draw(ratePlot(BENCHES)));
});
