/*
 * Checks of serve's options, for JavaScript, where no types do it: a policy or a bound that is silently
 * dropped leaves a server more open than was meant.
 */
import { isUrl } from "@xsocket/protocol";
import { shown } from "@xsocket/xbind-native";
import { misuse } from "./_failure.ts";
import { BOUND_MAX, type Bounds, DEFAULT_BOUNDS } from "./bounds.ts";
import { LOG_LEVELS } from "./log.ts";
import { MAX_THREADS, type ServeOptions } from "./options.ts";
import { FAMILIES, type Names, PROTOCOLS, TYPES } from "./policy/names.ts";
import { QUOTA_MAX } from "./policy/read-rule.ts";
import { plainRule, type Policy, type Rule, RULE_KINDS } from "./policy/rule.ts";

/* A test for a value, and the words for what passes it. */
type Check = readonly [isRight: (value: unknown) => boolean, what: string];

function isFrom(first: number, last: number, value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= first && Number(value) <= last;
}

function from(
  first: number,
  last: number,
  what = `a whole number from ${first} to ${last}`,
): Check {
  return [(value) => isFrom(first, last, value), what];
}

const isText = (value: unknown): boolean => typeof value === "string";

/* A URL, or a ~ that only a shell replaces, would name a file below the current directory. */
const isAddress = (value: unknown): boolean =>
  typeof value === "string" && !isUrl(value) && !/^~\/|^[^@].*\/$/s.test(value);

const FLAG: Check = [(value) => typeof value === "boolean", "true or false"];
const BOUND = from(1, BOUND_MAX);
const QUOTA = from(1, QUOTA_MAX);

const FD_MAX = 0x7fffffff; // of a larger number the FFI keeps 32 bits, which may be another descriptor's

const LEVELS = `one of ${Object.keys(LOG_LEVELS).join(", ")}`;

const CHECKS: Readonly<Record<Exclude<keyof ServeOptions, keyof Bounds>, Check>> = {
  address: [isAddress, "the path of a file, or @name, without unix:, file: or ~/"],
  mode: from(0, 0o777, "a number from 0 to 0o777, such as 0o660"),
  group: [(value) => isText(value) || typeof value === "number", "the name or number of a group"],
  sharedDirectory: FLAG,
  refuseDescriptors: FLAG,
  listenFd: from(0, FD_MAX, "a descriptor's number"),
  ownsFile: FLAG,
  auditFile: [isText, "the path of a file"],
  threads: from(1, MAX_THREADS),
  policy: [
    (value) => typeof value === "function" || isPolicy(value),
    "a policy or a function that reads one, as policyFile(PATH) is",
  ],
  log: [(value) => typeof value === "function", "a function"],
  logLevel: [(value) => isText(value) && Object.hasOwn(LOG_LEVELS, String(value)), LEVELS],
};
const known = new Map<string, Check>([
  ...Object.entries(CHECKS),
  ...Object.keys(DEFAULT_BOUNDS).map((name) => [name, BOUND] as const),
]);

function isPolicy(value: unknown): value is Policy {
  return typeof value === "object" && value !== null && Array.isArray(Reflect.get(value, "rules"));
}

function refuseUnknown(given: object): void {
  for (const name in given)
    if (!known.has(name) && Reflect.get(given, name) !== undefined)
      misuse(`there is no option ${name}: there are ${[...known.keys()].join(", ")}`);
}

function refuseContradictions({ mode, group, address, listenFd }: ServeOptions): void {
  if (mode === undefined && group === undefined) return;
  if (listenFd !== undefined)
    misuse("the listening socket already has its mode and group: leave them out");
  if (address?.startsWith("@"))
    misuse("an abstract name has neither mode nor group: use a path, or leave them out");
}

/**
 * Refuses unknown options, invalid values, and options that contradict each other.
 *
 * @returns all options, those that an object has from its class as well; its methods are called on it
 * @throws {ServeError} MISUSE
 */
export function checkedOptions(options: ServeOptions): ServeOptions {
  const given: unknown = options;
  if (typeof given !== "object" || given === null)
    misuse(`the options must be an object, not ${shown(given)}`);
  refuseUnknown(given);
  const found = new Map<string, unknown>();
  for (const [name, [isRight, what]] of known) {
    const value: unknown = Reflect.get(given, name);
    if (value === undefined) continue;
    if (!isRight(value)) misuse(`${name} must be ${what}, not ${shown(value)}`);
    found.set(name, typeof value === "function" ? value.bind(given) : value);
  }
  const checked: ServeOptions = Object.fromEntries(found);
  refuseContradictions(checked);
  return checked;
}

/* Each item has to pass, which a hole does not; an empty list would match nobody. */
function listOf(isItem: (value: unknown) => boolean, items: string): Check {
  const isList = (value: unknown) =>
    Array.isArray(value) && value.length > 0 && Array.from(value).every(isItem);
  return [isList, `a list of ${items}`];
}

/* Only own properties of an object count: others, and those of a function, are not copied to a serving thread. */
function isSpan(value: unknown): boolean {
  if (typeof value !== "object") return false;
  const own = { ...value };
  const [first, last] = [Reflect.get(own, "first"), Reflect.get(own, "last")];
  return isFrom(0, Infinity, first) && isFrom(Number(first), Infinity, last);
}

const SPANS = listOf(isSpan, "spans of ids, as { first: 1000, last: 1000 }");
const numbersOf = ({ most }: Names) =>
  listOf((value) => isFrom(0, most, value), "the numbers of socket(2)");

const RULE: Readonly<Record<keyof Rule, Check>> = {
  name: [isText, "a text"],
  kind: [
    (value) => RULE_KINDS.some((kind) => kind === value),
    RULE_KINDS.map((kind) => `"${kind}"`).join(" or "),
  ],
  allow: FLAG,
  uids: SPANS,
  gids: SPANS,
  families: numbersOf(FAMILIES),
  types: numbersOf(TYPES),
  protocols: numbersOf(PROTOCOLS),
  socketsPerMinute: QUOTA,
  connections: QUOTA,
};
const NEEDED = plainRule(""); // what has a value here has one in every rule

/* Copies of lists that were checked, without what else is on them or on a span. */
const spansIn = (list: Rule["uids"]) =>
  list && Array.from(list, ({ first, last }) => ({ first, last }));
const numbersIn = (list: Rule["types"]) => list && Array.from(list);

/* Returns a copy without what was not checked: a function cannot be sent to a serving thread, and what an object
   inherits does not arrive there. */
function checkedRule(rule: Rule): Rule {
  const given: unknown = rule;
  if (typeof given !== "object" || given === null)
    misuse(`a rule of the policy must be an object, not ${shown(given)}`);
  const copy = { ...rule };
  const wrong = Object.keys(copy).find((key) => !Object.hasOwn(RULE, key));
  if (wrong !== undefined)
    misuse(`a rule of the policy has no key ${wrong}: there are ${Object.keys(RULE).join(", ")}`);
  for (const [key, check] of Object.entries(RULE)) {
    const [isRight, what] = check;
    const value: unknown = Reflect.get(copy, key);
    if (value === undefined && Reflect.get(NEEDED, key) === undefined) continue;
    if (!isRight(value)) misuse(`${key} of a rule must be ${what}, not ${shown(value)}`);
    if (check === QUOTA && !copy.allow)
      misuse(`${key} of a rule has no meaning where that denies: leave it out, or allow`);
  }
  return {
    ...copy,
    uids: spansIn(copy.uids),
    gids: spansIn(copy.gids),
    families: numbersIn(copy.families),
    types: numbersIn(copy.types),
    protocols: numbersIn(copy.protocols),
  };
}

/**
 * Refuses what is no policy, and invalid rules: with an unknown key or value a rule may be for everybody, or
 * for nobody, and one that denies then denies nothing.
 *
 * @returns its source and rules alone, as the serving threads can be given them
 * @throws {ServeError} MISUSE
 */
export function checkPolicy(given: unknown): Policy {
  if (!isPolicy(given))
    misuse(`policy has returned ${shown(given)}: return what parsePolicy or readPolicy gives`);
  const { source, rules } = given;
  if (!isText(source)) misuse(`source of the policy must be a text, not ${shown(source)}`);
  return { source, rules: Array.from(rules, checkedRule) };
}
