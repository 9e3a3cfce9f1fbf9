/*
 * The command in the source tree, which the launcher starts there in the place of main.ts: as the last
 * build has compiled it (scripts/tree.ts) if that was of these very sources, and else from the sources
 * (docs/decisions/0005-compiled-beforehand.md).
 */
import { join } from "node:path";
import { isCurrent } from "./stamp.ts";

const ROOT = join(import.meta.dir, "../../..");
const COMPILED = join(ROOT, "build/tree");

await import(isCurrent(COMPILED, ROOT) ? join(COMPILED, "main.js") : "./main.ts");
