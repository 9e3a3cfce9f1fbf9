import { inspect } from "node:util";

const SHOWN_MAX = 100; // characters
const LINE = { compact: true, breakLength: Infinity };

/** A wrong value for a message of one line: whole if it is short, else what kind of value it is. */
export function shown(value: unknown): string {
  const whole = inspect(value, LINE);
  return whole.length <= SHOWN_MAX
    ? whole
    : inspect(value, { ...LINE, depth: -1, maxStringLength: SHOWN_MAX });
}
