import { expect, test } from "bun:test";
import { parseAccounts } from "./accounts.ts";
import { PolicyError } from "./error.ts";
import { parsePolicy } from "./parse.ts";

/* The line of each mistake in a policy. */
function lines(text: string): (number | undefined)[] {
  try {
    parsePolicy("p.toml", text, parseAccounts("", ""));
    return [];
  } catch (error) {
    if (error instanceof PolicyError) return error.problems.map(({ line }) => line);
    throw error;
  }
}

test("reports the line of the key with a mistake, or of its rule", () => {
  const text = `# a policy
[[rule]]
action = "alow"
"user" = ["nobody-here",
  "nor-here"]

  [[ rule ]] # the second
family = "inet9"
foo = 1
[[rule]]
action = "deny"
connections = 1
`;
  expect(lines(text)).toEqual([3, 4, 4, 7, 8, 9, 12]);
});

test("does not assign keys of an unknown table to the rule before it", () => {
  const text = `[[rule]]
action = "alow"
[[rules]]
action = "allow"
`;
  expect(lines(text)).toEqual([undefined, 2]);
});

test("ignores [[rule]] within a multi-line string", () => {
  const text = `[[rule]]\nname = """\n[[rule]]\naction = 'x'\n"""\naction = "no"\n`;
  expect(lines(text)).toEqual([6]);
});

test("reports no line for rules in another TOML syntax", () => {
  expect(lines(`rule = [{ action = "no" }]\n`)).toEqual([undefined]);
  const rules = [
    "[['rule']]",
    "action = 'allow'",
    "[[rule]]",
    "action = 'no'",
    "[[rule]]",
    "action = 'allow'",
  ];
  expect(lines(rules.join("\n"))).toEqual([undefined]);
});
