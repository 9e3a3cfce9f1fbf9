import { describe, setDefaultTimeout, test } from "bun:test";
import { guardDescriptors } from "../harness/index.ts";
import { runProgram } from "./run.ts";
import { programs } from "./table/index.ts";

setDefaultTimeout(60_000); // each waits for its conditions, and says which one did not come true
guardDescriptors();

/* The rest takes minutes, and many packages: ./dev programs. */
describe("under libxbind.so", () => {
  for (const program of programs.filter(({ quick }) => quick === true))
    test(program.name, () => runProgram(program));
});
