import type { ArgDef, ArgsDef, CommandMeta } from "citty";

/** What a command is given beside its options. */
export interface Invocation {
  /** The program after `--` and its arguments; empty when there is none. */
  readonly program: readonly string[];
  /** Where the program stands among the command's arguments. */
  readonly programIndex: number;
  /** The descriptor to send the plan to (see plan.ts), -1 when nobody waits for one. */
  readonly planFd: number;
}

/** A command. The form of its table is that of citty, which writes the help from it. */
export interface Command<T extends ArgsDef = ArgsDef> {
  /** Its name is the one that commands.ts has for it. */
  readonly meta: CommandMeta & { readonly description: string };
  readonly args?: T;
  /** How its usage shows the program; without it the command takes none. */
  readonly program?: string;
  /** What comes before the program, "--" by default. */
  readonly separators?: readonly string[];
  /** Carries it out, with its arguments as options.ts has read them. */
  execute(given: Given<T>, invocation: Invocation): void | Promise<void>;
}

/** An option with a value, as a row of a command's table. */
export function option(valueHint: string, description: string) {
  return { type: "string", valueHint, description } as const;
}

/** An option whose value says all: given twice, each value would seem to count. */
export function once(valueHint: string, description: string) {
  return { ...option(valueHint, description), once: true } as const;
}

/** An option that may be given several times, whose values all count. */
export function many(valueHint: string, description: string) {
  return { ...option(valueHint, description), many: true } as const;
}

/** An option without one. */
export function flag(description: string) {
  return { type: "boolean", description } as const;
}

/** The options of a table, without the arguments that it also has. */
export function optionsOf(args: ArgsDef = {}): [name: string, definition: ArgDef][] {
  return Object.entries(args).filter(([, { type }]) => type !== "positional");
}

/** The arguments of a table. */
export function argumentsOf(args: ArgsDef = {}): [name: string, definition: ArgDef][] {
  return Object.entries(args).filter(([, { type }]) => type === "positional");
}

/** What the value of an argument may be. */
type Value<Arg> = Arg extends { type: "boolean" }
  ? boolean
  : Arg extends { many: true }
    ? readonly string[]
    : Arg extends { options: readonly (infer Choice)[] }
      ? Choice | undefined
      : Arg extends { default: string }
        ? string
        : string | undefined;

/** The values of a table of arguments. */
export type Given<Args> = { readonly [Name in keyof Args]: Value<Args[Name]> };

/** Defines a command, which then gets arguments typed by its table. */
export function command<const T extends ArgsDef>(definition: Command<T>): Command;
export function command(definition: Command): Command {
  return definition;
}
