/* The pictures of docs/performance.md, drawn by Vega-Lite without a browser. */
import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import { type Benches, type Load, MODES, type SdkRow } from "./benches.ts";

const BACKGROUND = "white"; // also where the page around it is dark
const COLOURS = ["#0072b2", "#56b4e9", "#e69f00", "#999999"]; // told apart by the colour-blind too
const WIDTH = 320;
const HEIGHT = 220;

type Values = Readonly<Record<string, string | number>>[];

function flat(row: Load) {
  const { perSecond, p50, p99, p999 } = row.figures;
  return {
    mode: MODES[row.mode],
    callers: String(row.callers),
    server: row.server,
    perSecond,
    p50,
    p99,
    p999,
  };
}

/* In the order in which the bench has them, not in that of the alphabet. */
function order(values: Values, field: string): string[] {
  return [...new Set(values.map((value) => String(value[field])))];
}

/** Requests per second of each server. */
export function ratePlot({ server }: Benches): TopLevelSpec {
  const values: Values = server.rows.map(flat);
  return {
    title: "Sockets handed over per second",
    background: BACKGROUND,
    data: { values },
    facet: { column: { field: "mode", title: null } },
    spec: {
      width: WIDTH,
      height: HEIGHT,
      mark: "bar",
      encoding: {
        x: {
          field: "callers",
          title: "callers",
          sort: order(values, "callers"),
          axis: { labelAngle: 0 },
        },
        xOffset: { field: "server", sort: order(values, "server") },
        y: { field: "perSecond", type: "quantitative", title: "requests per second" },
        color: serverColour(values),
      },
    },
  };
}

function serverColour(values: Values) {
  return {
    field: "server",
    title: null,
    scale: { domain: order(values, "server"), range: COLOURS },
  };
}

/** The percentiles of each server's times, on a logarithmic axis. */
export function timePlot({ server }: Benches): TopLevelSpec {
  const names = { p50: "p50", p99: "p99", p999: "p99.9" } as const;
  const values: Values = server.rows.map(flat).flatMap((row) =>
    (["p50", "p99", "p999"] as const).map((key) => ({
      mode: row.mode,
      callers: row.callers,
      server: row.server,
      percentile: names[key],
      time: row[key],
    })),
  );
  return {
    title: "Time of a request (logarithmic)",
    background: BACKGROUND,
    data: { values },
    facet: {
      column: { field: "percentile", title: null, sort: Object.values(names) },
      row: { field: "mode", title: null },
    },
    spec: {
      width: WIDTH * 0.65,
      height: HEIGHT * 0.8,
      mark: { type: "line", point: true },
      encoding: {
        x: {
          field: "callers",
          type: "ordinal",
          title: "callers",
          sort: order(values, "callers"),
          axis: { labelAngle: 0 },
        },
        y: { field: "time", type: "quantitative", title: "microseconds", scale: { type: "log" } },
        color: serverColour(values),
      },
    },
  };
}

/** What a call takes without and with the library: from some hundred ns to some hundred µs, so logarithmic. */
export function xbindPlot({ xbind }: Benches): TopLevelSpec {
  const calls = xbind.filter(({ what }) => !what.startsWith("of it ")); // parts of a call are left out
  const values: Values = calls.flatMap((row) => [
    { what: row.what, which: "without", time: row.without_ns },
    { what: row.what, which: "with", time: row.with_ns },
  ]);
  const y = { field: "what", title: null, sort: order(values, "what"), axis: { labelLimit: 400 } };
  const x = { field: "time", type: "quantitative", title: "nanoseconds" } as const;
  return {
    title: { text: "A call without and with libxbind.so (logarithmic)", anchor: "start" },
    background: BACKGROUND,
    width: WIDTH,
    height: { step: 22 },
    data: { values },
    encoding: { y, x: { ...x, scale: { type: "log" } } },
    layer: [
      { mark: { type: "line", color: "#999999" }, encoding: { detail: { field: "what" } } },
      {
        mark: { type: "point", filled: true, size: 70, opacity: 1 },
        encoding: {
          color: {
            field: "which",
            title: null,
            scale: { domain: ["without", "with"], range: ["#e69f00", "#0072b2"] },
          },
        },
      },
    ],
  };
}

function isHttp({ what }: SdkRow): boolean {
  return /serve/.test(what);
}

/** Rates of the SDK. HTTP has an axis of its own, since its rates are not comparable with those of sockets. */
export function sdkPlot({ sdk }: Benches): TopLevelSpec {
  const bars = (title: string, rows: typeof sdk.rows) => ({
    width: WIDTH,
    height: { step: 22 },
    data: { values: [...rows] },
    mark: { type: "bar" as const, color: COLOURS[0] ?? "" },
    encoding: {
      y: {
        field: "what",
        title: null,
        sort: rows.map(({ what }) => what),
        axis: { labelLimit: 300 },
      },
      x: { field: "perSecond", type: "quantitative" as const, title },
    },
  });
  return {
    title: "The client SDK",
    background: BACKGROUND,
    vconcat: [
      bars(
        "sockets per second",
        sdk.rows.filter((row) => !isHttp(row)),
      ),
      bars("HTTP answers per second", sdk.rows.filter(isHttp)),
    ],
  };
}

/** A picture as the text of an SVG file. */
export async function draw(spec: TopLevelSpec): Promise<string> {
  const view = new View(parse(compile(spec).spec), { renderer: "none" });
  const svg = await view.toSVG();
  view.finalize();
  return `${svg}\n`;
}
