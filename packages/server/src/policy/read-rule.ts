import type { Accounts } from "./accounts.ts";
import { ID_MAX, type IdRange, parseIds } from "./ids.ts";
import {
  FAMILIES,
  keyOf,
  knownOf,
  meantBy,
  type Names,
  numberOf,
  PROTOCOLS,
  TYPES,
} from "./names.ts";
import { type Rule, RULE_KINDS, type RuleKind } from "./rule.ts";
import { type Table, words } from "./values.ts";

/** The largest quota that is counted. */
export const QUOTA_MAX = 0xffffff;

/* Each key of a rule, and the rules in which it has a meaning; a key that is not here is a mistake. */
const KEYS = [
  ["name", "any"],
  ["action", "any"],
  ["kind", "any"],
  ["user", "any"],
  ["uid", "any"],
  ["group", "any"],
  ["gid", "any"],
  ["family", "about sockets"],
  ["type", "about sockets"],
  ["protocol", "about sockets"],
  ["sockets_per_minute", "allowing sockets"],
  ["connections", "allowing sockets"],
] as const;

type Key = (typeof KEYS)[number][0];

/* What is wanted of a policy most often, and is not in its power. */
const NO_PORTS =
  "a policy does not look at ports and addresses, which settings of the server's unit limit (SocketBindAllow=, IPAddressAllow=)";

/** Takes a problem, and the key that it is about. */
type Note = (problem: string, key: string) => void;

/** Reads one table key by key and notes each problem with the rule's name in front. */
class RuleReader {
  readonly name: string;
  readonly #table: Table;
  readonly #note: Note;

  constructor(table: Table, number: number, note: Note) {
    const named = table["name"];
    this.name = typeof named === "string" && named !== "" ? named : `rule ${number}`;
    const where = this.name === `rule ${number}` ? this.name : `rule ${number} ("${this.name}")`;
    this.#table = table;
    this.#note = (problem, key) => note(`${where}: ${problem}`, key);
    for (const key of Object.keys(table))
      if (!KEYS.some(([known]) => known === key))
        this.#note(`the key "${key}" is unknown: ${helpForKey(key)}`, key);
    if (named !== undefined && typeof named !== "string") this.#note("name must be a text", "name");
  }

  has(key: Key): boolean {
    return this.#table[key] !== undefined;
  }

  refuse(key: Key, problem: string): void {
    this.#note(`${key} ${problem}`, key);
  }

  choice<Choice extends string>(key: Key, choices: readonly Choice[]): Choice | undefined {
    const value = this.#table[key];
    const found = choices.find((choice) => choice === value);
    if (!found)
      this.#note(`${key} must be ${choices.map((word) => `"${word}"`).join(" or ")}`, key);
    return found;
  }

  list<Item>(
    key: Key,
    read: (word: string) => Item | undefined,
    help: (word: string) => string,
  ): readonly Item[] | undefined {
    if (!this.has(key)) return undefined;
    const found: Item[] = [];
    const texts = words(this.#table[key]);
    if (!texts) this.#note(`${key} must be a text, a number, or a list of at least one`, key);
    for (const text of texts ?? []) {
      const item = read(text);
      if (item !== undefined) found.push(item);
      else this.#note(`${key} "${text}" is unknown: ${asList(text) ?? help(text)}`, key);
    }
    return found;
  }

  numbers(key: Key, names: Names): readonly number[] | undefined {
    const help = (word: string) =>
      ofOtherName(names, word) ?? ofAnotherKey(word) ?? ofPorts(word) ?? knownOf(names);
    return this.list(key, (word) => numberOf(names, word), help);
  }

  quota(key: Key): number | undefined {
    const value = this.#table[key];
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= QUOTA_MAX)
      return value;
    this.#note(`${key} must be a number from 1 to ${QUOTA_MAX}`, key);
    return undefined;
  }
}

function helpForKey(key: string): string {
  if (/port(?!o)|address/i.test(key)) return NO_PORTS;
  return `there are ${KEYS.map(([known]) => known).join(", ")}`;
}

/* The words of XBIND may name a port, as tcp/53 does. */
function ofPorts(word: string): string | undefined {
  return /^(?:tcp|udp)\//i.test(word) ? NO_PORTS : undefined;
}

/* Lists of the command line's options have commas alone. */
function asList(text: string): string | undefined {
  const parts = text.split(/\s*,\s*/);
  return parts.length > 1 ? `write ${JSON.stringify(parts)}` : undefined;
}

function ofOtherName(names: Names, word: string): string | undefined {
  const name = meantBy(names, word);
  return name && `write "${name}"`;
}

function ofAnotherKey(word: string): string | undefined {
  const key = keyOf(word);
  return key && `write ${key} = ${JSON.stringify(word)}`;
}

/* Names and numbers are two spellings of one question, so either may match. */
function ids(
  reader: RuleReader,
  named: readonly number[] | undefined,
  key: "uid" | "gid",
): readonly IdRange[] | undefined {
  const help = `write a number up to ${ID_MAX}, or a range with the smaller one first, like "100000-165535"`;
  const numbered = reader.list(key, parseIds, () => help);
  if (!named && !numbered) return undefined;
  return [...(named ?? []).map((id) => ({ first: id, last: id })), ...(numbered ?? [])];
}

function refuseContradictions(reader: RuleReader, kind: RuleKind, allow: boolean): void {
  for (const [key, where] of KEYS)
    if (where !== "any" && reader.has(key)) {
      if (kind !== "socket") reader.refuse(key, `has no meaning in a rule of kind "${kind}"`);
      if (where === "allowing sockets" && !allow)
        reader.refuse(key, "has no meaning in a rule that denies");
    }
}

/** Reads one [[rule]] table; what is not understood is noted. */
export function readRule(table: Table, number: number, accounts: Accounts, note: Note): Rule {
  const reader = new RuleReader(table, number, note);
  const allow = reader.choice("action", ["allow", "deny"]) !== "deny";
  const kind = reader.has("kind") ? reader.choice("kind", RULE_KINDS) : undefined;
  const users = reader.list(
    "user",
    (name) => accounts.users.get(name)?.uid,
    () => "/etc/passwd has no such user (name others by uid)",
  );
  const groups = reader.list(
    "group",
    (name) => accounts.groups.get(name)?.gid,
    () => "/etc/group has no such group (name others by gid)",
  );
  const rule: Rule = {
    name: reader.name,
    kind: kind ?? "socket",
    allow,
    uids: ids(reader, users, "uid"),
    gids: ids(reader, groups, "gid"),
    families: reader.numbers("family", FAMILIES),
    types: reader.numbers("type", TYPES),
    protocols: reader.numbers("protocol", PROTOCOLS),
    socketsPerMinute: reader.quota("sockets_per_minute"),
    connections: reader.quota("connections"),
  };
  refuseContradictions(reader, rule.kind, allow);
  return rule;
}
