import { codeOf, reasonOf } from "@xsocket/xbind-native";
import { EXIT, FailureError } from "./errors.ts";
import { words } from "./words.ts";

/* Codes of a ServeError that mean a wrong argument. */
const MISUSE = new Set(["MISUSE", "ADDRESS"]);

/* Every mistake of a policy has a line of its own. */
function isPolicy(error: unknown): boolean {
  return error instanceof Error && error.name === "PolicyError";
}

function exitCode(error: unknown): number {
  if (error instanceof FailureError) return error.exitCode;
  return MISUSE.has(codeOf(error)) ? EXIT.misused : EXIT.failed;
}

/**
 * Says what is wrong, one sentence for each thing and never a stack trace, and sets the exit code.
 *
 * @param failed the exit code for what is not misuse
 */
export function complain(error: unknown, failed: number = EXIT.failed): void {
  const text = reasonOf(error);
  const sentences = isPolicy(error) ? text.split("\n") : [text].filter(Boolean);
  for (const sentence of sentences) words.error(sentence);
  const code = exitCode(error);
  process.exitCode = code === EXIT.failed ? failed : code;
}
