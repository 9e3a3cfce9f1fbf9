import manifest from "../package.json" with { type: "json" };
import type { Command } from "./command.ts";

/** One file for each command, loaded when it is asked for. */
export const COMMANDS: Record<string, () => Promise<Command>> = {
  serve: () => import("./commands/serve.ts").then((module) => module.default),
  run: () => import("./commands/run.ts").then((module) => module.default),
  policy: () => import("./commands/policy.ts").then((module) => module.default),
  status: () => import("./commands/status.ts").then((module) => module.default),
  open: () => import("./commands/open.ts").then((module) => module.default),
  doctor: () => import("./commands/doctor.ts").then((module) => module.default),
  bench: () => import("./commands/bench.ts").then((module) => module.default),
  completions: () => import("./commands/completions.ts").then((module) => module.default),
  lib: () => import("./commands/lib.ts").then((module) => module.default),
};

/** The command itself. */
export const xsocket = {
  meta: {
    name: "xsocket",
    version: manifest.version,
    description: manifest.description,
  },
  subCommands: COMMANDS,
};
