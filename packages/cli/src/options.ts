import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import type { ArgDef, ArgsDef } from "citty";
import { MisuseError } from "./errors.ts";

/* The table of options as node:util wants it. */
function config(args: ArgsDef): ParseArgsOptionsConfig {
  const options = Object.entries(args).filter(([, { type }]) => type !== "positional");
  return Object.fromEntries(
    options.map(([name, definition]) => {
      const type = definition.type === "boolean" ? "boolean" : "string";
      const short = shortName(definition);
      return [name, { type, multiple: true, ...(short ? { short } : {}) }];
    }),
  );
}

function shortName(definition: ArgDef): string | undefined {
  if (!("alias" in definition)) return undefined;
  return [definition.alias].flat().find((alias) => alias?.length === 1);
}

function parse(argv: readonly string[], args: ArgsDef) {
  return parseArgs({
    args: [...argv],
    options: config(args),
    allowPositionals: true,
    allowNegative: true,
  });
}

/* Our words for what node:util refuses. */
const REFUSALS: Record<string, (message: string) => string> = {
  ERR_PARSE_ARGS_UNKNOWN_OPTION: (message) =>
    `there is no option ${/'(-[^']*)'/.exec(message)?.[1] ?? ""}`,
  ERR_PARSE_ARGS_INVALID_OPTION_VALUE: (message) => {
    const option = /'([^']*)'/.exec(message)?.[1]?.replace(/ <value>$/, "") ?? "";
    return message.includes("does not take")
      ? `the option ${option} takes no value`
      : `the option ${option} needs a value`;
  },
};

function refusal(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? String(error.code) : "";
  return REFUSALS[code]?.(error.message) ?? error.message;
}

/**
 * Refuses what citty would let pass: unknown options, options without their value, and more
 * arguments than the table has.
 *
 * @throws {MisuseError}
 */
export function checkOptions(argv: readonly string[], args: ArgsDef, help: string): void {
  const limit = Object.values(args).filter(({ type }) => type === "positional").length;
  let positionals: string[];
  try {
    ({ positionals } = parse(argv, args));
  } catch (error) {
    throw new MisuseError(`${refusal(error)}: see "${help}"`, { cause: error });
  }
  if (positionals.length > limit)
    throw new MisuseError(`"${positionals[limit]}" is one argument too many: see "${help}"`);
}

/** Every value of an option that may be given several times; citty keeps only the last. */
export function repeated(argv: readonly string[], args: ArgsDef, name: string): string[] {
  const value = parse(argv, args).values[name];
  return Array.isArray(value) ? value.map(String) : [];
}
