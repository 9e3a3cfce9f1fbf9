import { expect, spyOn, test } from "bun:test";
import {
  closeSync,
  constants,
  openSync,
  readFileSync,
  readSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tempDir } from "../../../../tests/harness/temp.ts";
import { createMemory } from "../memory/memory.ts";
import { Shared } from "../memory/shared.ts";
import { auditTo, beginAudit } from "./audit.ts";

const PAGE_BYTES = 4096;

/** Reads all that a pipe holds. */
function drained(pipe: number): string {
  const bytes = Buffer.alloc(1 << 21);
  return bytes.toString("latin1", 0, readSync(pipe, bytes));
}

test("starts a new line after another thread's line was cut", () => {
  using dir = tempDir();
  const path = dir.join("fifo");
  Bun.spawnSync(["mkfifo", path]);
  const pipe = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  try {
    const memory = createMemory(1, 2);
    const lost: string[] = [];
    const [one, other] = [0, 1].map((thread) =>
      auditTo(pipe, new Shared(memory, thread), (reason) => lost.push(reason)),
    );
    // fill the pipe except for one page
    const ballast = writeSync(pipe, Buffer.alloc(1 << 21, "."));
    readSync(pipe, Buffer.alloc(PAGE_BYTES));
    one?.("granted", 0, { asked: "x".repeat(2 * PAGE_BYTES) });
    other?.("granted", 0, { asked: "lost" });
    expect(lost).toEqual(["the disk took only a part of it", "EAGAIN"]);
    const cut = drained(pipe).slice(ballast - PAGE_BYTES);
    other?.("granted", 0, { asked: "first" });
    one?.("granted", 0, { asked: "second" });
    const lines = (cut + drained(pipe)).split("\n");
    expect(lines).toEqual([
      expect.stringMatching(/^\{.*x$/),
      expect.stringMatching(/^\{.*"asked":"first"\}$/),
      expect.stringMatching(/^\{.*"asked":"second"\}$/),
      "",
    ]);
    writeSync(pipe, Buffer.alloc(1 << 21, "."));
    one?.("granted", 0, { asked: "lost" });
    drained(pipe);
    one?.("granted", 0, { asked: "after a whole one" });
    expect(drained(pipe)).toStartWith("{");
  } finally {
    closeSync(pipe);
  }
});

/* Under load there is always a thread about to write. */
test("starts a new line after a cut one even if another thread writes meanwhile", () => {
  using dir = tempDir();
  const path = dir.join("audit");
  writeFileSync(path, '{"cut');
  const fd = openSync(path, "a");
  try {
    const memory = createMemory(1, 2);
    new Shared(memory).cutAudit();
    const [one, other] = [0, 1].map((thread) =>
      auditTo(fd, new Shared(memory, thread), reportError),
    );
    const { stringify } = JSON;
    const writing = spyOn(JSON, "stringify").mockImplementationOnce((line) => {
      writing.mockRestore();
      other?.("granted", 0, { asked: "first" });
      return stringify(line);
    });
    one?.("granted", 0, { asked: "second" });
    other?.("granted", 0, { asked: "third" });
    expect(readFileSync(path, "utf8").split("\n")).toEqual([
      '{"cut',
      expect.stringMatching(/^\{.*"asked":"first"\}$/),
      "",
      expect.stringMatching(/^\{.*"asked":"second"\}$/),
      expect.stringMatching(/^\{.*"asked":"third"\}$/),
      "",
    ]);
  } finally {
    closeSync(fd);
  }
});

/** The content of an audit file after one line was written. */
function withLine(path: string, shared: Shared): string {
  const fd = beginAudit(path, shared);
  try {
    auditTo(fd, shared, reportError)("granted", 0, {});
    return readFileSync(path, "utf8");
  } finally {
    closeSync(fd);
  }
}

test("does not start a new file with a line break after a cut line", () => {
  using dir = tempDir();
  const shared = new Shared(createMemory(1, 1));
  shared.cutAudit();
  expect(withLine(dir.join("audit"), shared)).toStartWith("{");
});

test("appends to a file that ends in a whole line", () => {
  using dir = tempDir();
  const path = dir.join("audit");
  writeFileSync(path, "{}\n");
  expect(withLine(path, new Shared(createMemory(1, 1)))).toStartWith("{}\n{");
});
