import { type ArgsDef, type CommandDef, renderUsage } from "citty";
import { optionsOf } from "./command.ts";
import { hasColour } from "./words.ts";

/** The help text of a command, in colour only where the stream has it. */
export async function usage(
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
