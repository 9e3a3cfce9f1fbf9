import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import type { ArgDef, ArgsDef } from "citty";
import { argumentsOf, type Given, optionsOf } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { MisuseError } from "./errors.ts";
import { nearest } from "./nearest.ts";

/* The table of options as node:util wants it. */
function config(args: ArgsDef): ParseArgsOptionsConfig {
  return Object.fromEntries(
    optionsOf(args).map(([name, definition]) => {
      const type = definition.type === "boolean" ? "boolean" : "string";
      return [name, { type, multiple: true }];
    }),
  );
}

/* What the arguments are, also where they are wrong: the checks below have words of their own for that. */
function parse(argv: readonly string[], options: ParseArgsOptionsConfig) {
  const args = [...argv];
  return parseArgs({ args, options, allowPositionals: true, tokens: true, strict: false });
}

type Token = ReturnType<typeof parse>["tokens"][number];
type Values = ReturnType<typeof parse>["values"];
type Option = Extract<Token, { kind: "option" }>;

/* The commands that have an option, in the order of the help. */
async function commandsWith(option: string): Promise<string[]> {
  const found = Object.entries(COMMANDS).map(async ([name, load]) => {
    const isThere = optionsOf((await load()).args).some(([known]) => `--${known}` === option);
    return isThere ? [`xsocket ${name}`] : [];
  });
  return (await Promise.all(found)).flat();
}

/* What is wrong with an unknown option, up to where the help is named. */
async function unknown(option: string, args: ArgsDef): Promise<string> {
  if (option === "--help") return "the option --help takes no value:"; // without a value it was handled before
  if (option === "--socket" && args["address"])
    return "there is no option --socket: give the control socket without it, or";
  const known = [...optionsOf(args).map(([name]) => name), "help"].map((name) => `--${name}`);
  const meant = nearest(option, known);
  if (meant !== undefined) return `there is no option ${option} (did you mean ${meant}?):`;
  const others = (await commandsWith(option)).join(", ");
  return `there is no option ${option}${others && ` here (it belongs to ${others})`}:`;
}

/* The same of one that the table has. */
function misused({ rawName, value, inlineValue }: Option, isFlag: boolean): string | undefined {
  if (isFlag) return value === undefined ? undefined : `the option ${rawName} takes no value:`;
  if (value === undefined) return `the option ${rawName} needs a value:`;
  if (inlineValue || !/^-./s.test(value)) return undefined;
  const why = /^--?[^-]/.test(value) ? `, and "${value}" is taken for an option` : "";
  return `the option ${rawName} needs a value${why}:`;
}

/* The values of an option, in their order. */
function valuesOf(values: Values, name: string): string[] {
  return [values[name] ?? []].flat().map(String);
}

/*
 * Refuses an empty value, as from an empty variable in a script; a second one where only the last would count, though
 * both are meant; and one that is not among an option's choices.
 */
function checkValues(name: string, definition: ArgDef, found: readonly string[], help: string) {
  if (found.includes(""))
    throw new MisuseError(`the option --${name} needs a value: see "${help}"`);
  if ("once" in definition && found.length > 1)
    throw new MisuseError(
      `the option --${name} is given more than once: put everything into one, see "${help}"`,
    );
  if (definition.type !== "enum") return;
  const choices = definition.options ?? [];
  const wrong = found.find((value) => !choices.includes(value));
  if (wrong !== undefined)
    throw new MisuseError(`--${name} takes ${choices.join(" or ")}, not "${wrong}"`);
}

/*
 * The first argument that is one too many. Undefined if an unknown option stands before it, whose value it may be.
 */
function extraArgument(
  tokens: readonly Token[],
  options: ParseArgsOptionsConfig,
  most: number,
): string | undefined {
  let room = most;
  for (const token of tokens) {
    if (token.kind === "option" && options[token.name]?.type === undefined) return undefined;
    if (token.kind === "positional" && room-- === 0) return token.value;
  }
  return undefined;
}

/* What an argument that is one too many may have been meant as, up to where the help is named. */
function meantAs(extra: string, args: ArgsDef, lacksProgram: boolean): string {
  if (lacksProgram) return 'a program goes after "--", ';
  return args["socket"] && /^[/@]/.test(extra) ? "a control socket goes after --socket, " : "";
}

/**
 * Reads what a command is given by its table.
 *
 * @param lacksProgram whether the command takes a program after "--", and has none yet
 * @throws {MisuseError} for unknown options, options without their value or with a wrong one, and more arguments than
 * the table has
 */
export async function readArguments(
  argv: readonly string[],
  args: ArgsDef,
  help: string,
  lacksProgram = false,
): Promise<Given<ArgsDef>> {
  const options = config(args);
  const { tokens, values, positionals } = parse(argv, options);
  // first: if the "--" in front of a program is forgotten, the error should not be about the program's own options
  const extra = extraArgument(tokens, options, argumentsOf(args).length);
  if (extra !== undefined)
    throw new MisuseError(
      `"${extra}" is one argument too many: ${meantAs(extra, args, lacksProgram)}see "${help}"`,
    );
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    const type = options[token.name]?.type;
    // as it was given: node:util splits several letters behind one dash, such as -port
    const given = argv[token.index]?.replace(/(?<=[^-])=.*/s, "") ?? "";
    const wrong =
      type === undefined ? await unknown(given, args) : misused(token, type === "boolean");
    if (wrong !== undefined) throw new MisuseError(`${wrong} see "${help}"`);
  }
  const found = Object.entries(args).map(([name, definition]) => {
    if (definition.type === "positional") return [name, positionals.shift() ?? definition.default];
    const own = valuesOf(values, name);
    checkValues(name, definition, own, help);
    if (definition.type === "boolean") return [name, own.length > 0];
    return [name, "many" in definition ? own : (own.at(-1) ?? definition.default)];
  });
  return Object.fromEntries(found);
}
