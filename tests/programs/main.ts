/*
 * The matrix, for `./dev programs [NAME...]`: runs all programs, or those whose names contain one of
 * the words, and writes the tables of docs/compatibility.md if all of them have been run.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { reasonOf } from "@xsocket/xbind-native";
import { ROOT } from "../harness/root.ts";
import { format } from "../../scripts/format.ts";
import { choose } from "./choose.ts";
import type { Program } from "./program.ts";
import { report, type Verdict } from "./report.ts";
import { runProgram, versionOf } from "./run.ts";

const AT_ONCE = 4; // most of a case is waiting
const LIMIT_MS = 180_000; // of one case, far more than all its waits together
const REPORT = join(ROOT, "docs/compatibility.md");

/* Bun misses the end of a process once in thousands of times: the other cases must go on. */
function late(): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  const error = new Error(`no end of it within ${LIMIT_MS / 1000} s; end what it has left by hand`);
  setTimeout(() => reject(error), LIMIT_MS).unref();
  return promise;
}

async function judge(program: Program): Promise<Verdict> {
  const start = performance.now();
  let failure: string | undefined;
  let version = "";
  try {
    version = await versionOf(program);
    await Promise.race([runProgram(program), late()]);
  } catch (error) {
    failure = reasonOf(error);
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  process.stdout.write(
    failure === undefined
      ? `ok ${program.name} (${seconds} s)\n`
      : `FAILED ${program.name} (${seconds} s): ${failure}\n`,
  );
  return { program, version, ...(failure === undefined ? {} : { failure }) };
}

/* Keeps AT_ONCE cases running until none is left. */
async function judgeAll(all: readonly Program[]): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  const left = all.entries();
  const worker = async () => {
    for (const [index, program] of left) verdicts[index] = await judge(program);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return verdicts;
}

const words = process.argv.slice(2);
const unknown = words.find((word) => choose([word]).length === 0);
if (unknown !== undefined) {
  process.stderr.write(
    `programs: there is no program ${unknown}: docs/compatibility.md lists them\n`,
  );
  process.exit(2);
}
const verdicts = await judgeAll(choose(words));
const failed = verdicts.filter(({ failure }) => failure !== undefined).length;
if (words.length === 0) {
  writeFileSync(REPORT, report(verdicts, readFileSync(REPORT, "utf8")));
  format(REPORT);
}
process.stdout.write(`${verdicts.length - failed} passed, ${failed} failed\n`);
process.exit(failed > 0 ? 1 : 0); // even if a case that hangs still waits
