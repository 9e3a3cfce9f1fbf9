import type { Program } from "../program.ts";
import { daemons } from "./daemons.ts";
import { data } from "./data.ts";
import { names } from "./names.ts";
import { native } from "./native.ts";
import { javascript } from "./javascript.ts";
import { python } from "./python.ts";
import { runtimes } from "./runtimes.ts";
import { scripting } from "./scripting.ts";
import { web } from "./web.ts";

/** The whole matrix, by the headings of the report. */
export const table: Readonly<Record<string, readonly Program[]>> = {
  "Web servers and proxies": web,
  "Databases, caches and queues": data,
  "Name servers": names,
  "Languages and their event loops": [...javascript, ...python, ...scripting, ...runtimes],
  "Daemons and tools": daemons,
  "Special cases": native,
};

/** All programs, in the order of the report. */
export const programs: readonly Program[] = Object.values(table).flat();
