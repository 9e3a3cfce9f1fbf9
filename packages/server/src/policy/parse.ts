import { reasonOf } from "@xsocket/xbind-native";
import { lastingPath } from "../_path.ts";
import { type Accounts, readAccounts } from "./accounts.ts";
import { PolicyError, type Problem } from "./error.ts";
import { lineFinder, overfullLine } from "./lines.ts";
import { readRule } from "./read-rule.ts";
import { readText } from "./read-text.ts";
import type { Policy, Rule } from "./rule.ts";
import { isTable, type Table } from "./values.ts";

/*
 * The most entries of a table; a rule has a dozen. The time of Bun's parser grows with their square, and a
 * wrong file of a megabyte would hold up a reload for more than a minute.
 */
const ENTRIES_MAX = 1000;

const FORM = "a policy is a list of [[rule]] tables";

function syntaxProblem(text: string): string | undefined {
  try {
    Bun.TOML.parse(text);
    return undefined;
  } catch (error) {
    return reasonOf(error);
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

/* What to do about a syntax error, if the parser's own words do not say it. */
function remedyFor(problem: string, text: string, line: number): string {
  if (!text.includes("[[rule]]")) return `: ${FORM}`; // it may be JSON, or a unit
  if (/^(?:[^"'#]*[=[,])?\s*\d+ *- *\d/.test(text.split("\n")[line - 1] ?? ""))
    return ': write a range in quotes, like "100000-165535"';
  if (problem.includes("Cannot redefine key"))
    return ': begin each rule with [[rule]], and give several values as a list, like ["alice", "bob"]';
  return "";
}

function parseToml(source: string, text: string): Table {
  const line = overfullLine(text, ENTRIES_MAX);
  if (line !== undefined)
    throw new PolicyError(source, [
      {
        text: `here a table has more than ${ENTRIES_MAX} entries, and a rule has a dozen: name a policy`,
        line,
      },
    ]);
  try {
    return { ...Bun.TOML.parse(text) };
  } catch (error) {
    const problem = reasonOf(error);
    const at = lineOf(text, problem);
    throw new PolicyError(source, [{ text: problem + remedyFor(problem, text, at), line: at }]);
  }
}

/** The rule tables of a file; anything else in it is a mistake that must not pass in silence. */
function ruleTables(table: Table, problems: Problem[]): Table[] {
  for (const key of Object.keys(table))
    if (key !== "rule") problems.push({ text: `"${key}" is unknown here: ${FORM}` });
  const rules = table["rule"] ?? [];
  if (Array.isArray(rules) && rules.every(isTable)) return rules;
  problems.push({ text: '"rule" must be a list of tables: write [[rule]] above each' });
  return [];
}

/**
 * Reads the text of a policy file.
 *
 * @param source the name of the file, for messages
 * @throws {PolicyError} with everything in it that is not understood
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

/**
 * Reads a policy file and the names in it against this machine's accounts.
 *
 * @throws {PolicyError} if it cannot be read or understood
 */
export function readPolicy(path: string): Policy {
  return parsePolicy(path, readText(path, false), readAccounts());
}

/**
 * Makes the function that reads a policy file at the start and at each reload. The first time it may be a
 * pipe, such as a shell's `<(command)`; read again, that would be an empty policy.
 *
 * @returns a function that throws PolicyError as {@link readPolicy} does
 */
export function policyFile(path: string): () => Policy {
  const file = lastingPath(path);
  let again = false;
  return () => {
    const text = readText(file, again);
    again = true;
    return parsePolicy(path, text, readAccounts());
  };
}
