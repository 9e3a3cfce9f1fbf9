/*
 * Writes docs/man/xsocket.1 from its frame xsocket.1.in and the commands' own tables, so that no
 * option or default stands there that the code has not. A test runs it and compares.
 */
import { join } from "node:path";
import type { ArgDef } from "citty";
import { argumentsOf, type Command, optionsOf } from "./src/command.ts";
import { COMMANDS } from "./src/commands.ts";

const MAN = join(import.meta.dir, "../../docs/man");
const LINE_COLUMNS = 78;

/** Text in mdoc: backslashes and leading dots escaped, lines folded, each sentence on a line of its own. */
function prose(text: string): string {
  const escaped = text.replaceAll("\\", "\\e").replaceAll("-", "\\-");
  const sentences = escaped.split(/(?<=[.:;?!]) (?=[A-Z])/);
  return sentences.map(fold).join("\n");
}

function fold(sentence: string): string {
  const lines = [""];
  for (const word of sentence.split(" ")) {
    const last = lines.at(-1) ?? "";
    if (last && last.length + word.length >= LINE_COLUMNS) lines.push(word);
    else lines[lines.length - 1] = last ? `${last} ${word}` : word;
  }
  return lines.map((line) => line.replace(/^[.']/, "\\&$&")).join("\n");
}

function hint(argument: ArgDef): string {
  if (argument.type === "enum") return (argument.options ?? []).join("|");
  return ("valueHint" in argument && argument.valueHint) || "value";
}

function flag(name: string, argument: ArgDef): string {
  const value = argument.type === "boolean" ? "" : ` Ar ${hint(argument)}`;
  return `Fl -${name}${value}`;
}

const MANY = 8; // the most options that the synopsis names

function synopsis(name: string, { args, program = "" }: Command): string {
  // one that stands before the program is shown with it
  const options = optionsOf(args).filter(([arg]) => !program.includes(`--${arg} `));
  return [
    `.Nm xsocket Cm ${name}`,
    ...(options.length > MANY
      ? [".Op Ar option ..."]
      : options.map(([arg, definition]) => `.Op ${flag(arg, definition)}`)),
    ...argumentsOf(args).map(([arg, { required, default: preset }]) =>
      required === false || preset !== undefined ? `.Op Ar ${arg}` : `.Ar ${arg}`,
    ),
    ...(program === "" ? [] : [prose(program)]),
  ].join("\n");
}

function option([name, definition]: [string, ArgDef]): string {
  const head = definition.type === "positional" ? `Ar ${name}` : flag(name, definition);
  const text = prose(definition.description ?? "").replace(/([^.])$/, "$1.");
  const preset =
    definition.default === undefined || definition.default === false
      ? ""
      : `\nThe default is\n.Li ${String(definition.default)} .`;
  return `.It ${head}\n${text}${preset}`;
}

function section(name: string, { meta, args = {} }: Command): string {
  const text = prose(meta.description).replace(/([^.])$/, "$1.");
  const options = Object.entries(args).map(option);
  const list = options.length > 0 ? ["", ".Bl -tag -width Ds", ...options, ".El"].join("\n") : "";
  return `.Ss xsocket ${name}\n${text}${list}`;
}

/** The page, from its frame and the commands as they are now. */
export async function manPage(): Promise<string> {
  const commands = await Promise.all(
    Object.entries(COMMANDS).map(async ([name, load]) => [name, await load()] as const),
  );
  const frame = await Bun.file(join(MAN, "xsocket.1.in")).text();
  return frame
    .replace("@SYNOPSIS@", () => commands.map(([name, one]) => synopsis(name, one)).join("\n"))
    .replace("@COMMANDS@", () => commands.map(([name, one]) => section(name, one)).join("\n"));
}

if (import.meta.main) await Bun.write(join(MAN, "xsocket.1"), await manPage());
