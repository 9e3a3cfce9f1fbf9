/* Where a table begins, a key is given, and a text of several lines begins or ends. */
const HEADER = /^\s*\[\[\s*rule\s*\]\]/;
const TABLE = /^\s*\[/; // a rule or any other
const KEY = /^\s*(?:"([^"]*)"|'([^']*)'|([\w-]+))\s*=/;
const LONG_TEXT = /"""|'''/g;

/* The beginning of any other table, or a key, which may have dots. */
const ENTRY = /^\s*(?:\[|(?:"[^"]*"|'[^']*'|[\w-]+)\s*[.=])/;

interface RuleLines {
  readonly header: number;
  readonly keys: Map<string, number>;
}

function scan(text: string): RuleLines[] {
  const rules: RuleLines[] = [];
  let [isInRule, isInText] = [false, false];
  for (const [index, line] of text.split("\n").entries()) {
    if (!isInText) {
      if (TABLE.test(line)) isInRule = HEADER.test(line);
      if (HEADER.test(line)) rules.push({ header: index + 1, keys: new Map() });
      const [, double, single, bare] = KEY.exec(line) ?? [];
      const key = double ?? single ?? bare;
      if (isInRule && key !== undefined) rules.at(-1)?.keys.set(key, index + 1);
    }
    if ((line.match(LONG_TEXT)?.length ?? 0) % 2 === 1) isInText = !isInText;
  }
  return rules;
}

/**
 * Finds the line that a mistake is in, since Bun's parser does not tell.
 *
 * @param count how many rules the parser has found; where the scan finds another number, the file is
 *   written in some other way, and no line is better than a wrong one
 * @returns the line of a rule's key, else that of the rule's header; rules count from 1
 */
export function lineFinder(text: string, count: number) {
  const rules = scan(text);
  if (rules.length !== count) return () => undefined;
  return (rule: number, key: string): number | undefined => {
    const lines = rules[rule - 1];
    return lines?.keys.get(key) ?? lines?.header;
  };
}

/** Finds the line where a table has more entries than it may have, be they keys or tables in it. */
export function overfullLine(text: string, most: number): number | undefined {
  let count = 0;
  for (const [index, line] of text.split("\n").entries()) {
    if (HEADER.test(line)) count = 0;
    else if (ENTRY.test(line) && ++count > most) return index + 1;
  }
  return undefined;
}
