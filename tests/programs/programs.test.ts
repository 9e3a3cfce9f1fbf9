import { describe, test } from "bun:test";
import { runProgram } from "./run.ts";
import { programs } from "./table/index.ts";

/* The rest takes minutes, and many packages: ./dev programs. */
describe("under libxbind.so", () => {
  for (const program of programs.filter(({ quick }) => quick === true))
    test(program.name, () => runProgram(program));
});
