/*
 * The command in the source tree, which the launcher starts there in the place of main.ts: as the last
 * build has compiled it (scripts/tree.ts) if that was of these very sources, and else from the sources
 * (docs/decisions/0005-compiled-beforehand.md). What is imported Bun waits for, with no signal blocked
 * (launch/bun.c), and so all of it is required.
 */
import { join } from "node:path";
const stamp: typeof import("./stamp.ts") = require("./stamp.ts");

const ROOT = join(import.meta.dir, "../../..");
const COMPILED = join(ROOT, "build/tree");

require(stamp.isCurrent(COMPILED, ROOT) ? join(COMPILED, "main.js") : "./main.ts");
