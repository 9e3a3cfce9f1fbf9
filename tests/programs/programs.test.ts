import { describe, test } from "bun:test";
import { guardDescriptors } from "../harness/index.ts";
import { runProgram } from "./run.ts";
import { programs } from "./table/index.ts";

guardDescriptors();

/* The rest takes minutes, and many packages: ./dev programs. */
describe("under libxbind.so", () => {
  for (const program of programs.filter(({ quick }) => quick === true))
    test(program.name, () => runProgram(program));
});
