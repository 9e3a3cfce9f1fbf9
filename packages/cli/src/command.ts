import type { ArgDef, ArgsDef, CommandContext, CommandDef, CommandMeta } from "citty";

/** What a command is given beside its options. */
export interface Invocation {
  /** The program after `--` and its arguments; empty when there is none. */
  readonly program: readonly string[];
  /** Where the program stands among the command's arguments. */
  readonly programIndex: number;
  /** The descriptor to send the plan to (see plan.ts), -1 when nobody waits for one. */
  readonly planFd: number;
}

/** A citty command, which may also take a program after its options. */
export interface Command<T extends ArgsDef = ArgsDef> extends CommandDef<T> {
  /** Its name is the one that commands.ts has for it. */
  readonly meta: CommandMeta & { readonly description: string };
  readonly args?: T;
  /** How its usage shows the program; without it the command takes none. */
  readonly program?: string;
  /** What comes before the program, "--" by default. */
  readonly separators?: readonly string[];
}

/** An option with a value, as a row of a command's table. */
export function option(valueHint: string, description: string) {
  return { type: "string", valueHint, description } as const;
}

/** An option whose value says all: given twice, each value would seem to count. */
export function once(valueHint: string, description: string) {
  return { ...option(valueHint, description), once: true } as const;
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

/** What the value of an option may be. */
type Value<Option> = Option extends { type: "boolean" }
  ? boolean
  : Option extends { options: readonly (infer Choice)[] }
    ? Choice
    : string;

/** The values of a table of options as citty gives them, once options.ts has looked at them. */
export type Given<Args> = { readonly [Name in keyof Args]?: Value<Args[Name]> | undefined };

/** Defines a command, whose `run` then gets arguments typed by its table of options. */
export function command<const T extends ArgsDef>(definition: Command<T>): Command;
export function command(definition: Command): Command {
  return definition;
}

/** What the dispatcher has handed to the command. */
export function invocation(context: Pick<CommandContext, "data">): Invocation {
  const data: Invocation = context.data; // citty leaves its type open; dispatch.ts always sets it
  return data;
}
