import { expect, test } from "bun:test";
import { serveReady } from "../../test/loop.ts";
import { STATE } from "../memory/memory.ts";
import { EVENTS } from "./loop.ts";

const sum = (turns: readonly number[]) => turns.reduce((one, other) => one + other, 0);

test("each user gets a share of the turns when more events are ready than one wait returns", () => {
  const { turns, states } = serveReady(10);
  expect(turns.at(-1)).toBe(10);
  expect(sum(turns.slice(0, -1))).toBe(10 * 4);
  expect(new Set(states)).toEqual(new Set([STATE.idle]));
  expect(serveReady(10, { count: EVENTS - 1 }).turns).toEqual(Array(EVENTS - 1).fill(10));
});

test("a sole user gets every turn", () => {
  expect(serveReady(10, { others: 0 }).turns).toEqual(Array(EVENTS).fill(10));
});

test("each of a user's many connections gets a turn despite a constant order of events", () => {
  expect(serveReady(1000).turns).not.toContain(0); // by chance once in 10^26 times
});

test("a new connection without a turn stays a new one", () => {
  const { turns, states } = serveReady(1, { state: STATE.fresh });
  const passedOver = states.filter((_, i) => turns[i] === 0);
  expect(passedOver).toEqual(Array(EVENTS - 5).fill(STATE.fresh));
});

test("a connection without a turn is reported ready again", () => {
  const { turns, states } = serveReady(1, { state: STATE.stuck });
  expect(sum(turns)).toBe(1 + 4);
  expect(new Set(states)).toEqual(new Set([STATE.idle]));
});
