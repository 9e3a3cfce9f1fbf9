/*
 * The command in the source tree, which the launcher starts there instead of main.ts. It runs what the last build
 * compiled (scripts/tree.ts) if the sources are unchanged, else the sources
 * (docs/decisions/0005-compiled-beforehand.md). It uses require(), since Bun would wait for an import, and no
 * signal is blocked in that time (launch/bun.c).
 */
import { join } from "node:path";
const stamp: typeof import("./stamp.ts") = require("./stamp.ts");

const ROOT = join(import.meta.dir, "../../..");
const COMPILED = join(ROOT, "build/tree");

require(stamp.isCurrent(COMPILED, ROOT) ? join(COMPILED, "main.js") : "./main.ts");
