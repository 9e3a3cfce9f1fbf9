/* Two servers that start at the same path at the same time. */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { eventually, here, leaveStale, tempDir } from "../harness/index.ts";
import { askOnce } from "./raw.ts";

const ROUNDS = 200;

function lines(text: string): string[] {
  return text.split("\n").slice(0, -1);
}

test(`one of two servers wins in each of ${ROUNDS} rounds, with and without a stale socket`, async () => {
  using directory = tempDir();
  const argv = [process.execPath, join(import.meta.dir, "starter.ts")];
  await using one = here.spawn(argv, { stdin: "" });
  await using two = here.spawn(argv, { stdin: "" });
  const both = [one, two];
  const answers = async (count: number) => {
    await eventually("both to answer", () => both.every((s) => lines(s.stdout).length === count));
    return both.map((server) => lines(server.stdout)[count - 1] ?? "");
  };
  for (let round = 0; round < ROUNDS; round++) {
    const path = directory.join(`s${round % 3}`);
    if (round % 2 === 0) leaveStale(path);
    await Promise.all(both.map((server) => server.write(`${path}\n`)));
    const [first = "", second = ""] = await answers(2 * round + 1);
    const winner = first === "won" ? one : two;
    expect([first, second].filter((answer) => answer === "won")).toHaveLength(1);
    expect(first + second).toContain(`process ${winner.pid} listens there`);
    expect(askOnce(path)).toBe(0);
    await Promise.all(both.map((server) => server.write("\n")));
    await answers(2 * round + 2);
    expect(existsSync(path)).toBe(false);
  }
}, 900_000); // 10 s on an idle machine
