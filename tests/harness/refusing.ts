import { join } from "node:path";

/** What to put before a command so that a system call is refused to it where one argument has one value. */
export function refusing(call: string, argument: number, value: number, error: string): string[] {
  const script = join(import.meta.dir, "refuse.py");
  return ["python3", script, call, String(argument), String(value), error];
}
