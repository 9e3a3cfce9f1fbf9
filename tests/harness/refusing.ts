import { join } from "node:path";

/** A prefix for a command that makes a system call fail when one argument has one value. */
export function refusing(call: string, argument: number, value: number, error: string): string[] {
  const script = join(import.meta.dir, "refuse.py");
  return ["python3", script, call, String(argument), String(value), error];
}
