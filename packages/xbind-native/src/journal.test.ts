import { expect, test } from "bun:test";
import { fstatSync } from "node:fs";
import { stderrIsJournal } from "./journal.ts";

test("stderr is the journal if JOURNAL_STREAM has its device and inode", () => {
  const { dev, ino } = fstatSync(0, { bigint: true });
  expect(stderrIsJournal({ JOURNAL_STREAM: `${dev}:${ino}` }, 0)).toBe(true);
  expect(stderrIsJournal({ JOURNAL_STREAM: `${dev}:${ino + 1n}` }, 0)).toBe(false);
  expect(stderrIsJournal({}, 0)).toBe(false);
  expect(stderrIsJournal({ JOURNAL_STREAM: "1:1" }, 9999)).toBe(false);
});
