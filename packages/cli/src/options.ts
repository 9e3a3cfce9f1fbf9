import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import type { ArgsDef } from "citty";
import { codeOf, reasonOf } from "@xsocket/xbind-native";
import { MisuseError } from "./errors.ts";
import { suggestion } from "./nearest.ts";

/* The table of options as node:util wants it. */
function config(args: ArgsDef): ParseArgsOptionsConfig {
  const options = Object.entries(args).filter(([, { type }]) => type !== "positional");
  return Object.fromEntries(
    options.map(([name, definition]) => {
      const type = definition.type === "boolean" ? "boolean" : "string";
      return [name, { type, multiple: true }];
    }),
  );
}

function parse(argv: readonly string[], args: ArgsDef, { strict = true } = {}) {
  return parseArgs({
    args: [...argv],
    options: config(args),
    allowPositionals: true,
    tokens: true,
    strict,
  });
}

/*
 * The first unknown option, as it was given but without its value. node:util splits several letters behind one
 * dash, such as -port, into options of one letter each, and names only the first.
 */
function unknownOption(argv: readonly string[], args: ArgsDef): string {
  const options = config(args);
  const { tokens } = parse(argv, args, { strict: false });
  const found = tokens.find(
    (token) => token.kind === "option" && !Object.hasOwn(options, token.name),
  );
  return argv[found?.index ?? -1]?.replace(/(?<=[^-])=.*/s, "") ?? "";
}

/* Our words for an unknown option or a wrong value that node:util refuses, up to where the help is named. */
function refusal(error: unknown, argv: readonly string[], args: ArgsDef): string {
  if (codeOf(error) === "ERR_PARSE_ARGS_UNKNOWN_OPTION") {
    const option = unknownOption(argv, args);
    if (option === "--help") return "the option --help takes no value:"; // without a value it was handled before
    if (option === "--socket" && args["address"])
      return "there is no option --socket: give only the control socket, or";
    const options = [...Object.keys(config(args)), "help"].map((name) => `--${name}`);
    return `there is no option ${option}${suggestion(option, options)}:`;
  }
  const message = reasonOf(error);
  const option = /'([^']*)'/.exec(message)?.[1]?.replace(/ <value>$/, "") ?? "";
  if (message.includes("does not take")) return `the option ${option} takes no value:`;
  const taken = argv.find((word, at) => argv[at - 1] === option && /^--?[^-]/.test(word));
  const why = taken === undefined ? "" : `, and "${taken}" is taken for an option`;
  return `the option ${option} needs a value${why}:`;
}

function parsed(argv: readonly string[], args: ArgsDef, help: string) {
  try {
    return parse(argv, args);
  } catch (error) {
    throw new MisuseError(`${refusal(error, argv, args)} see "${help}"`, { cause: error });
  }
}

/* Refuses an empty value, as from an empty variable in a script; no option takes one. */
function checkEmpty(values: Readonly<Record<string, unknown>>, help: string): void {
  for (const [name, given] of Object.entries(values))
    if (Array.isArray(given) && given.includes(""))
      throw new MisuseError(`the option --${name} needs a value: see "${help}"`);
}

/* Refuses a value that is not among an option's choices. */
function checkChoices(argv: readonly string[], args: ArgsDef): void {
  for (const [name, definition] of Object.entries(args)) {
    if (definition.type !== "enum") continue;
    const choices = definition.options ?? [];
    const wrong = repeated(argv, args, name).find((value) => !choices.includes(value));
    if (wrong !== undefined)
      throw new MisuseError(`--${name} takes ${choices.join(" or ")}, not "${wrong}"`);
  }
}

/*
 * The first argument that is one too many. Undefined if an unknown option stands before it, whose value it may be.
 */
function extraArgument(argv: readonly string[], args: ArgsDef): string | undefined {
  const options = config(args);
  let room = Object.values(args).filter(({ type }) => type === "positional").length;
  for (const token of parse(argv, args, { strict: false }).tokens) {
    if (token.kind === "option" && !Object.hasOwn(options, token.name)) return undefined;
    if (token.kind === "positional" && room-- === 0) return token.value;
  }
  return undefined;
}

/*
 * Refuses more arguments than the table has. This check comes first: if the "--" in front of a program is
 * forgotten, the error should not be about the program's own options.
 */
function checkCount(argv: readonly string[], args: ArgsDef, help: string, program: boolean): void {
  const extra = extraArgument(argv, args);
  if (extra === undefined) return;
  const remedy = program ? `a program goes after "--", see "${help}"` : `see "${help}"`;
  throw new MisuseError(`"${extra}" is one argument too many: ${remedy}`);
}

/**
 * Refuses what citty would accept, or report in other words: unknown options, options without their value or
 * with a wrong one, and more arguments than the table has.
 *
 * @param program whether the command takes a program after "--"
 * @throws {MisuseError}
 */
export function checkOptions(
  argv: readonly string[],
  args: ArgsDef,
  help: string,
  program = false,
): void {
  checkCount(argv, args, help, program);
  const { values } = parsed(argv, args, help);
  checkEmpty(values, help);
  checkChoices(argv, args);
}

/** Every value of an option that may be given several times; citty keeps only the last. */
export function repeated(argv: readonly string[], args: ArgsDef, name: string): string[] {
  const value = parse(argv, args).values[name];
  return Array.isArray(value) ? value.map(String) : [];
}
