import { type ArgsDef, type CommandDef, renderUsage } from "citty";
import { type Command, optionsOf } from "./command.ts";
import { COMMANDS, xsocket } from "./commands.ts";
import { isText } from "./directory.ts";
import { EXIT, MisuseError } from "./errors.ts";
import { suggestion } from "./nearest.ts";
import { readArguments } from "./options.ts";
import { writeErr } from "./output.ts";
import { hasColour, result } from "./words.ts";

const HELP = new Set(["--help", "-h"]);
const VERSION = new Set(["--version", "-v", "-V"]);

/* Splits off the program and its arguments, which are not ours to look at. */
function split(argv: readonly string[], { program, separators = ["--"] }: Command) {
  const at = program === undefined ? -1 : argv.findIndex((word) => separators.includes(word));
  if (at < 0) return { own: argv, program: [], programIndex: -1 };
  const isOption = argv[at] !== "--";
  const start = isOption && argv[at + 1] === "--" ? at + 2 : at + 1;
  return {
    own: argv.slice(0, isOption ? at + 1 : at),
    program: argv.slice(start),
    programIndex: start + 1, // the command's name counts as well
  };
}

/* The help text of a command, in colour only where the stream has it. */
async function usage(
  of: CommandDef & { readonly args?: ArgsDef; readonly program?: string | undefined },
  parent: CommandDef | undefined,
  stream: { readonly isTTY?: boolean },
): Promise<string> {
  const text = (await renderUsage(of, parent)).replaceAll(/ +$/gm, "");
  const all = hasColour(stream) ? text : Bun.stripANSI(text);
  // citty writes it for every command
  const shown = optionsOf(of.args).length > 0 ? all : all.replace(" [OPTIONS]", "");
  if (of.program === undefined) return shown;
  return shown.replace(/^.*USAGE.*$/m, (line) => `${line.trimEnd()} ${of.program}`);
}

/** Runs one command whose name has been read. */
async function runOne(definition: Command, name: string, argv: readonly string[], planFd: number) {
  const { own, program, programIndex } = split(argv, definition);
  const { meta, args = {} } = definition;
  const help = `xsocket ${name} --help`;
  if (own.some((word) => HELP.has(word)) || (own.length === 1 && own[0] === "help")) {
    const shown = { meta: { ...meta, name }, args, program: definition.program };
    return result(await usage(shown, xsocket, process.stdout));
  }
  if (own.length === 1 && own[0] === "--version") return result(xsocket.meta.version);
  const lost = own.find((word) => !isText(word));
  if (lost !== undefined)
    throw new MisuseError(`"${lost}" is not UTF-8: give what is, such as the path of a link`);
  if (program[0] === "") throw new MisuseError(`the program's name is empty: see "${help}"`);
  const lacksProgram = definition.program !== undefined && programIndex < 0;
  const given = await readArguments(own, args, help, lacksProgram);
  await definition.execute(given, { program, programIndex, planFd });
}

/**
 * Runs the command that the arguments name.
 *
 * @throws {MisuseError} if they name none, or give it what it does not take
 * @throws what the command throws
 */
export async function dispatch(argv: readonly string[], planFd: number): Promise<void> {
  const [name, ...rest] = argv[0] === "help" ? [...argv.slice(1, 2), "--help"] : argv;
  if (name === undefined) {
    writeErr(`${await usage(xsocket, undefined, process.stderr)}\n`);
    process.exitCode = EXIT.misused;
    return;
  }
  if (HELP.has(name)) return result(await usage(xsocket, undefined, process.stdout));
  if (VERSION.has(name)) return result(xsocket.meta.version);
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!load) {
    const meant = suggestion(name, [...Object.keys(COMMANDS), "--help", "--version"]);
    const what = name.startsWith("-") ? `option ${name} before the command` : `command "${name}"`;
    throw new MisuseError(`there is no ${what}${meant}: see "xsocket --help"`);
  }
  await runOne(await load(), name, rest, planFd);
}
