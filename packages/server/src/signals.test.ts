import { expect, spyOn, test } from "bun:test";
import { tempDir } from "../../../tests/harness/temp.ts";
import type { Log } from "./log.ts";
import { DEFAULT_POLICY } from "./policy/builtin.ts";
import { PolicyError } from "./policy/error.ts";
import type { Policy } from "./policy/rule.ts";
import { serve } from "./server.ts";
import { type Signalled, untilSignal } from "./signals.ts";

async function hangUp(times: number): Promise<void> {
  for (let i = 0; i < times; i++) process.emit("SIGHUP");
  await Bun.sleep(5);
}

/** A server with this way to reload, which runs until it is disposed of by SIGTERM. */
function running(reload: () => Promise<void>, log?: Log): AsyncDisposable {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const ended = untilSignal({ closed, stop: () => Promise.resolve(resolve()), reload }, log);
  return {
    async [Symbol.asyncDispose]() {
      process.emit("SIGTERM");
      await ended;
    },
  };
}

function listeners(): number[] {
  return ["SIGTERM", "SIGINT", "SIGHUP"].map((signal) => process.listenerCount(signal));
}

test("reports a policy with thousands of mistakes in one line", async () => {
  const problems = Array.from({ length: 5000 }, (_, index) => ({ text: `mistake ${index}` }));
  const reload = () => Promise.reject(new PolicyError("p.toml", problems));
  const lines: string[] = [];
  await using _ = running(reload, ({ message }) => lines.push(message));
  await hangUp(1);
  expect(lines.length).toBe(1);
  expect(lines[0]).toStartWith(
    "the policy stays as it was: p.toml: mistake 0; p.toml: mistake 1; ",
  );
  expect(lines[0]).toEndWith(
    "p.toml: mistake 9; and 4990 more (xsocket policy check names them all)",
  );
});

test("reports an invalid return value of a policy function as a failure of the policy", async () => {
  using dir = tempDir();
  const policies = [DEFAULT_POLICY, "no policy"];
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as in JavaScript
  const policy = () => policies.shift() as Policy;
  const lines: string[] = [];
  const log: Log = ({ message }) => lines.push(message);
  const ended = untilSignal(await serve({ address: dir.join("control"), policy }), log);
  await hangUp(1);
  process.emit("SIGTERM");
  await ended;
  expect(lines).toEqual([
    expect.stringContaining("the policy stays as it was: policy has returned 'no policy'"),
  ]);
});

test("merges simultaneous SIGHUPs, and those during a reload, into one reload each", async () => {
  const before = listeners();
  const gate = Promise.withResolvers<void>();
  let reloads = 0;
  {
    await using _ = running(() => (++reloads === 1 ? gate.promise : Promise.resolve()));
    await hangUp(100);
    expect(reloads).toBe(1);
    await hangUp(100);
    expect(reloads).toBe(1);
    gate.resolve();
    await hangUp(0);
    expect(reloads).toBe(2);
    await hangUp(1);
    expect(reloads).toBe(3);
  }
  expect(listeners()).toEqual(before); // only the program's own are left
});

test("waits for a reload that does not settle for 10 s before it heeds the next SIGHUP", async () => {
  let reloads = 0;
  await using _ = running(() => (reloads++, new Promise(() => {})));
  using timers = spyOn(globalThis, "setTimeout");
  await hangUp(1);
  await hangUp(1);
  const waits = timers.mock.calls.filter(([, ms]) => ms === 10_000);
  expect([reloads, waits.length]).toEqual([1, 1]);
  waits[0]?.[0]();
  await hangUp(0);
  expect(reloads).toBe(2);
});

test("reports a log that throws at a failed reload and handles the next SIGHUP", async () => {
  using report = spyOn(globalThis, "reportError").mockImplementation(() => {});
  let reloads = 0;
  const failure = new Error("no room for the log");
  await using _ = running(
    () => Promise.reject(new Error(`no policy ${++reloads}`)),
    () => {
      throw failure;
    },
  );
  await hangUp(1);
  await hangUp(1);
  expect(reloads).toBe(2);
  expect(report.mock.calls).toEqual([[failure], [failure]]);
});

class Unreadable extends Error {
  override get message(): string {
    throw new TypeError("no text yet");
  }
}

const BARE: unknown = Object.assign(Object.create(null), { code: 7 });

test.each([
  ["a value without text", BARE, "[Object: null prototype] { code: 7 }"],
  ["a message that is no text", Object.assign(new Error(), { message: 7 }), "7"],
  ["a failure of no parts", new AggregateError([], "no mirror has one"), "no mirror has one"],
  ["a message that throws", new Unreadable(), "an error that cannot be read"],
])(
  "reports %s, thrown by a policy function, and heeds the next SIGHUP",
  async (_what, thrown, text) => {
    const lines: string[] = [];
    const reload = async () => {
      throw thrown;
    };
    await using _ = running(reload, ({ message }) => lines.push(message));
    await hangUp(1);
    await hangUp(1);
    const line = `the policy stays as it was: ${text}`;
    expect(lines).toEqual([line, line]);
  },
);

/* A rejection that nobody handles would fail the test. */
test("throws the failure of a start once, whatever signals came before it", async () => {
  const { promise: starting, reject } = Promise.withResolvers<Signalled>();
  const ended = untilSignal(starting);
  process.emit("SIGTERM");
  await hangUp(1);
  reject(new Error("no server"));
  await expect(ended).rejects.toThrow("no server");
  await Bun.sleep(1);
});
