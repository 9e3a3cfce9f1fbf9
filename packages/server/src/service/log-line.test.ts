import { expect, test } from "bun:test";
import { escapeText } from "../_escape.ts";
import { formatLine, type LogFormat } from "./log-line.ts";
import { logTo } from "./log-to.ts";

const NOW = new Date("2026-01-02T03:04:05.678Z");

test("the journal gets its level in front", () => {
  expect(formatLine("journal", "warning", "refused", { uid: 7, comm: "a b" }, NOW)).toBe(
    '<4>refused uid=7 comm="a b"\n',
  );
});

test("JSON is one object in one line", () => {
  const line = formatLine("json", "info", "a\nb", { pid: 1, name: undefined }, NOW);
  expect(line).toEndWith("}\n");
  expect(JSON.parse(line)).toEqual({
    time: "2026-01-02T03:04:05.678Z",
    level: "info",
    message: "a\nb",
    pid: 1,
  });
  expect(line.trimEnd()).not.toContain("\n");
});

test("a person gets the level only where it matters", () => {
  expect(formatLine("pretty", "info", "serving", {}, NOW)).toBe("xsocket: serving\n");
  expect(formatLine("pretty", "error", "gone", { code: "EIO" }, NOW)).toBe(
    "xsocket: error: gone code=EIO\n",
  );
});

test("text from others cannot forge a line or move the cursor", () => {
  expect(escapeText("a\u202ecilbup\u2028b\u061c")).toBe("a\\u202ecilbup\\u2028b\\u061c");
  expect(escapeText("a\n<0>b\u001b[2J\u009b")).toBe("a\\x0a<0>b\\x1b[2J\\x9b");
  const line = formatLine("journal", "info", "x", { comm: 'evil" uid=0\n' }, NOW);
  expect(line).toBe('<6>x comm="evil\\" uid=0\\\\x0a"\n');
});

/** A log that has room for so many bytes, and what it has taken. */
function roomyLog(format: LogFormat = "pretty"): {
  room: number;
  say(message: string): void;
  readonly text: string;
} {
  let text = "";
  const log = logTo(format, (bytes) => {
    const taken = Math.min(bytes.byteLength, made.room);
    text += new TextDecoder().decode(bytes.subarray(0, taken));
    return taken;
  });
  const made = {
    room: Infinity,
    say: (message: string) => log({ level: "info", event: "test", message, fields: {} }),
    get text() {
      return text;
    },
  };
  return made;
}

test("lines that nobody takes are counted, and said before the next one", () => {
  const log = roomyLog();
  log.say("one");
  log.room = 0;
  log.say("two");
  log.say("three");
  log.room = Infinity;
  log.say("four");
  log.say("five");
  expect(log.text).toBe(
    "xsocket: one\nxsocket: warning: 2 lines are missing here that nobody took\nxsocket: four\nxsocket: five\n",
  );
});

test("what is said of lost lines has an event as every other line", () => {
  const log = roomyLog("json");
  log.room = 0;
  log.say("one");
  log.room = Infinity;
  log.say("two");
  const lines: unknown[] = log.text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines).toMatchObject([{ event: "lost" }, { event: "test", message: "two" }]);
});

function gap(lines: "a line is" | "2 lines are"): string {
  return `xsocket: warning: ${lines} missing here that nobody took\n`;
}

test("a line of which a part was taken is lost, and the next one begins anew", () => {
  const log = roomyLog();
  log.room = 11;
  log.say("one");
  log.room = 0;
  log.say("two");
  log.room = 1 + gap("2 lines are").length + 4; // what was lost is told, and the next line cut
  log.say("three");
  log.room = 1 + gap("a line is").length; // up to the end of a line
  log.say("four");
  log.room = Infinity;
  log.say("five");
  expect(log.text).toBe(
    `xsocket: on\n${gap("2 lines are")}xsoc\n${gap("a line is")}${gap("a line is")}xsocket: five\n`,
  );
});
