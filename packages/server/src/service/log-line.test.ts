import { expect, test } from "bun:test";
import { escapeText } from "../_escape.ts";
import type { LogFields, LogLevel } from "../log.ts";
import { formatLine, type LogFormat } from "./log-line.ts";
import { logTo } from "./log-to.ts";

function lineOf(format: LogFormat, level: LogLevel, message: string, fields: LogFields = {}) {
  return formatLine(format, { level, event: "test", message, fields });
}

test("prefixes a line for the journal with its level", () => {
  expect(lineOf("journal", "warning", "refused", { uid: 7, comm: "a b" })).toBe(
    '<4>refused uid=7 comm="a b"\n',
  );
});

test("formats JSON as one object on one line", () => {
  const line = lineOf("json", "info", "a\nb", { pid: 1, name: undefined });
  expect(line).toEndWith("}\n");
  expect(JSON.parse(line)).toEqual({
    time: expect.stringMatching(/^2\d{3}(-\d\d){2}T(\d\d:){2}\d\d\.\d{3}Z$/),
    level: "info",
    message: "a\nb",
    event: "test",
    pid: 1,
  });
  expect(line.trimEnd()).not.toContain("\n");
});

test("shows a person only the levels that matter", () => {
  expect(lineOf("pretty", "info", "serving")).toBe("xsocket: serving\n");
  expect(lineOf("pretty", "error", "gone", { code: "EIO" })).toBe(
    "xsocket: error: gone code=EIO\n",
  );
});

test("escapes control characters of foreign text", () => {
  expect(escapeText("a\u202ecilbup\u2028b\u061c")).toBe("a\\u202ecilbup\\u2028b\\u061c");
  expect(escapeText("a\n<0>b\u001b[2J\u009b")).toBe("a\\x0a<0>b\\x1b[2J\\x9b");
  const line = lineOf("journal", "info", "x", { comm: 'evil" uid=0\n' });
  expect(line).toBe('<6>x comm="evil\\" uid=0\\\\x0a"\n');
});

test.each([
  ["pretty", "xsocket: at /a\\x1b\\u202e\n"],
  ["journal", "<6>at /a\\x1b\\u202e\n"],
  ["json", '"message":"at /a\\u001b\\u202e"'],
] as const)("escapes control characters of a message, written %s", (format, text) =>
  expect(lineOf(format, "info", "at /a\u001b\u202e")).toContain(text),
);

test("quotes a field only where it could be misread, and leaves out what the message says", () => {
  const fields = { a: "b", c: "d=e", f: 'g"h', i: "", j: undefined, asked: 1, reason: 2, rule: 3 };
  expect(lineOf("pretty", "info", "x", fields)).toBe('xsocket: x a=b c="d=e" f="g\\"h" i=""\n');
});

/** A log that takes a limited number of bytes, and the text it took. */
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

test("counts lines that could not be written and reports them before the next one", () => {
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

test("gives the report of lost lines an event", () => {
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

test("counts a partly written line as lost and starts the next on a new line", () => {
  const log = roomyLog();
  log.room = 11;
  log.say("one");
  log.room = 0;
  log.say("two");
  log.room = 1 + gap("2 lines are").length + 4; // room for the report and a part of the next line
  log.say("three");
  log.room = 1 + gap("a line is").length; // up to the end of a line
  log.say("four");
  log.room = Infinity;
  log.say("five");
  expect(log.text).toBe(
    `xsocket: on\n${gap("2 lines are")}xsoc\n${gap("a line is")}${gap("a line is")}xsocket: five\n`,
  );
});
