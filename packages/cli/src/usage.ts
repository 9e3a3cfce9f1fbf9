import { renderUsage } from "citty";
import { type Command, optionsOf } from "./command.ts";
import { hasColour } from "./words.ts";

/** The help text of a command, in colour only where the stream has it. */
export async function usage(
  of: Command,
  parent: Command | undefined,
  stream: { readonly isTTY?: boolean },
): Promise<string> {
  const text = (await renderUsage(of, parent)).replaceAll(/ +$/gm, "");
  const all = hasColour(stream) ? text : Bun.stripANSI(text);
  // citty writes it for every command
  const shown = optionsOf(of.args).length > 0 ? all : all.replace(" [OPTIONS]", "");
  if (of.program === undefined) return shown;
  return shown.replace(/^.*USAGE.*$/m, (line) => `${line.trimEnd()} ${of.program}`);
}
