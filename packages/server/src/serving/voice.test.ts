import { expect, test } from "bun:test";
import type { LogRecord } from "../log.ts";
import { limitedVoice, RECORDS_WAITING_MAX } from "./voice.ts";

test("limits records per second and skips the fields of dropped ones", () => {
  const sent: LogRecord[] = [];
  let found = 0;
  let now = 0;
  const say = limitedVoice(
    "info",
    (record) => sent.push(record),
    () => now,
    () => 0,
  );
  for (let i = 0; i < 100; i++) say("warning", "denied", "refused", () => ({ found: ++found }));
  say("debug", "granted", "gave", () => ({ found: ++found }));
  expect(sent.at(-1)).toEqual({
    level: "warning",
    event: "denied",
    message: "refused",
    fields: { found },
  });
  expect(sent).toHaveLength(found);
  expect(found).toBe(20);
  now = 1000;
  for (let i = 0; i < 100; i++) say("warning", "denied", "refused");
  expect(sent).toHaveLength(40);
});

test("drops and counts records while the main thread is behind, debug ones too", () => {
  const sent: LogRecord[] = [];
  let taken = 0;
  const say = limitedVoice(
    "debug",
    (record) => sent.push(record),
    () => 0,
    () => sent.length - taken,
  );
  for (let i = 0; i < RECORDS_WAITING_MAX + 5; i++) say("debug", "granted", "gave");
  say("error", "accept", "no room");
  expect(sent).toHaveLength(RECORDS_WAITING_MAX);
  taken = sent.length;
  say("debug", "granted", "gave");
  say("debug", "granted", "gave");
  say("error", "accept", "no room");
  expect(sent.slice(taken).map(({ message }) => message)).toEqual([
    "gave (and 5 more of this kind before)",
    "gave",
    "no room (and 1 more of this kind before)",
  ]);
});
