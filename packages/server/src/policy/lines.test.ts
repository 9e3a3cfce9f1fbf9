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

test("each mistake has the line of its key, or that of its rule", () => {
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

test("the keys of a table that is no rule are not those of the rule above it", () => {
  const text = `[[rule]]
action = "alow"
[[rules]]
action = "allow"
`;
  expect(lines(text)).toEqual([undefined, 2]);
});

test("what looks like a rule within a text is none", () => {
  const text = `[[rule]]\nname = """\n[[rule]]\naction = 'x'\n"""\naction = "no"\n`;
  expect(lines(text)).toEqual([6]);
});

test("rules that are written in some other way have no lines, rather than wrong ones", () => {
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
