import { inspect } from "node:util";

const SHOWN_MAX = 100; // characters

/** A wrong value for a message of one line: whole if it is short, else what kind of value it is. */
export function shown(value: unknown): string {
  const whole = inspect(value, { breakLength: Infinity });
  return whole.length <= SHOWN_MAX
    ? whole
    : inspect(value, { depth: -1, maxStringLength: SHOWN_MAX });
}
