/*
 * `./dev bench xbind`: what the preload library costs a program, side by side in one run.
 *
 * The measuring is done in C (xbind.c), since it is about nanoseconds; this starts it under the
 * library, beside the smallest possible server in a second namespace.
 */
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { libraryPath } from "../src/index.ts";

const OUTPUT = join(import.meta.dir, "../../../build/bench/xbind.json");
const library = libraryPath("xbind");
const programs = dirname(library);

mkdirSync(dirname(OUTPUT), { recursive: true });
const { exitCode } = Bun.spawnSync(
  [
    join(programs, "tests/pair"),
    "-s",
    join(programs, "bench/bench_serve"),
    "-x",
    "3000-3999",
    "-p",
    library,
    join(programs, "bench/bench_xbind"),
    OUTPUT,
  ],
  { stdin: "ignore", stdout: "inherit", stderr: "inherit" },
);
if (exitCode === 0) console.log(`written to ${OUTPUT}`);
process.exit(exitCode);
