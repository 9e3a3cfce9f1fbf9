import { FAMILIES, type Names, PROTOCOLS, TYPES } from "@xsocket/server";
import type { ArgDef } from "citty";
import { argumentsOf, type Command, optionsOf } from "../command.ts";
import { COMMANDS } from "../commands.ts";

/** What may stand for a value. */
export type Values =
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "files" | "users" | "groups" | "any" };

/** An option as a shell needs to know it. */
export interface Option {
  readonly name: string;
  readonly description: string;
  /** Undefined for a flag. */
  readonly values: Values | undefined;
}

/** A command as a shell needs to know it. */
export interface Entry {
  readonly name: string;
  readonly description: string;
  readonly options: readonly Option[];
  /** What its arguments may be, in their order. */
  readonly positionals: readonly Values[];
  /** What may come before a program; empty for a command that takes none. */
  readonly separators: readonly string[];
}

const HELP: Option = { name: "help", description: "Show the help", values: undefined };

function wordsOf({ prefix, values }: Names): Values {
  return { kind: "words", words: [...values.keys()].map((name) => prefix + name) };
}

const HINTS: Record<string, Values> = {
  PATH: { kind: "files" },
  FILE: { kind: "files" },
  USER: { kind: "users" },
  GROUP: { kind: "groups" },
  FAMILY: wordsOf(FAMILIES),
  TYPE: wordsOf(TYPES),
  PROTOCOL: wordsOf(PROTOCOLS),
};

/* The valueHint of a table says what a value is: words in small letters, or a kind in capitals. */
function valuesOf(definition: ArgDef): Values {
  if ("options" in definition) return { kind: "words", words: definition.options };
  const hints = (definition.valueHint ?? "").split("|");
  if (hints.every((hint) => /^[a-z]+$/.test(hint))) return { kind: "words", words: hints };
  return hints.map((hint) => HINTS[hint]).find((known) => known !== undefined) ?? { kind: "any" };
}

function option([name, definition]: [string, ArgDef]): Option {
  return {
    name,
    description: definition.description ?? "",
    values: definition.type === "boolean" ? undefined : valuesOf(definition),
  };
}

function entry(name: string, { meta, args, program, separators }: Command): Entry {
  return {
    name,
    description: meta.description,
    options: [...optionsOf(args).map(option), HELP],
    positionals: argumentsOf(args).map(([argument, definition]) =>
      valuesOf({ valueHint: argument.toUpperCase(), ...definition }),
    ),
    separators: program === undefined ? [] : (separators ?? ["--"]),
  };
}

/** Reads the commands' own tables, so that completions never differ from them. */
export async function entries(): Promise<Entry[]> {
  const loaded = Object.entries(COMMANDS).map(async ([name, load]) => entry(name, await load()));
  return Promise.all(loaded);
}
