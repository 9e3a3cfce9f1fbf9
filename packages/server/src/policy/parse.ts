import { closeSync, openSync, readSync } from "node:fs";
import { type Accounts, readAccounts } from "./accounts.ts";
import { PolicyError, type Problem } from "./error.ts";
import { lineFinder } from "./lines.ts";
import { readRule } from "./read-rule.ts";
import type { Policy, Rule } from "./rule.ts";
import { isTable, type Table } from "./values.ts";

/** The longest policy file in bytes: a mistaken path must not fill the memory. */
export const POLICY_BYTES_MAX = 1 << 20;

function syntaxProblem(text: string): string | undefined {
  try {
    Bun.TOML.parse(text);
    return undefined;
  } catch (error) {
    return String(error instanceof Error ? error.message : error);
  }
}

/** Finds the line of a syntax error, which Bun does not tell: the shortest beginning that fails in the same way. */
function lineOf(text: string, problem: string): number {
  const lines = text.split("\n");
  let [good, bad] = [0, lines.length];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (syntaxProblem(`${lines.slice(0, middle).join("\n")}\n`) === problem) bad = middle;
    else good = middle;
  }
  return bad;
}

function parseToml(source: string, text: string): Table {
  const problem = syntaxProblem(text);
  if (problem !== undefined)
    throw new PolicyError(source, [{ text: problem, line: lineOf(text, problem) }]);
  const table: unknown = Bun.TOML.parse(text);
  if (!isTable(table))
    throw new PolicyError(source, [{ text: "a policy is a list of [[rule]] tables" }]);
  return table;
}

/** The rule tables of a file; anything else in it is a mistake that must not pass in silence. */
function ruleTables(table: Table, problems: Problem[]): Table[] {
  for (const key of Object.keys(table))
    if (key !== "rule")
      problems.push({ text: `"${key}" is unknown here: a policy is a list of [[rule]] tables` });
  const rules = table["rule"] ?? [];
  if (Array.isArray(rules) && rules.every(isTable)) return rules;
  problems.push({ text: '"rule" must be a list of tables: write [[rule]] above each' });
  return [];
}

/**
 * Reads the text of a policy file.
 *
 * @param source the name of the file, for messages
 * @throws {PolicyError} for anything in it that is not understood, all of it at once
 */
export function parsePolicy(source: string, text: string, accounts: Accounts): Policy {
  const problems: Problem[] = [];
  const tables = ruleTables(parseToml(source, text), problems);
  const lineOfKey = lineFinder(text, tables.length);
  const rules: Rule[] = tables.map((table, index) =>
    readRule(table, index + 1, accounts, (problem, key) =>
      problems.push({ text: problem, line: lineOfKey(index + 1, key) }),
    ),
  );
  if (problems.length > 0)
    throw new PolicyError(
      source,
      problems.toSorted((one, other) => (one.line ?? 0) - (other.line ?? 0)),
    );
  return { source, rules };
}

/* Reads a file as far as there is room for it. */
function fill(path: string, bytes: Uint8Array): number {
  const fd = openSync(path, "r");
  try {
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.byteLength; length += read)
      read = readSync(fd, bytes, length, bytes.byteLength - length, null);
    return length;
  } finally {
    closeSync(fd);
  }
}

function readText(path: string): string {
  try {
    const bytes = Buffer.alloc(POLICY_BYTES_MAX + 1);
    const length = fill(path, bytes);
    if (length > POLICY_BYTES_MAX)
      throw new PolicyError(path, [
        { text: `the file has more than ${POLICY_BYTES_MAX} bytes: name a policy` },
      ]);
    return bytes.toString("utf8", 0, length);
  } catch (error) {
    if (error instanceof PolicyError) throw error;
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    const remedy = "give the path of a file that the server's user may read";
    throw new PolicyError(path, [{ text: `cannot be read (${code}): ${remedy}` }], {
      cause: error,
    });
  }
}

/**
 * Reads a policy file and the names in it against this machine's accounts.
 *
 * @throws {PolicyError} if it cannot be read or understood
 */
export function readPolicy(path: string, accounts: Accounts = readAccounts()): Policy {
  return parsePolicy(path, readText(path), accounts);
}
