export { type Accounts, type Group, parseAccounts, readAccounts, type User } from "./accounts.ts";
export { DEFAULT_POLICY, flagPolicy, type RuleFlags } from "./builtin.ts";
export * from "./describe.ts";
export * from "./error.ts";
export { type IdRange, parseIds } from "./ids.ts";
export { type Asked, type Asker, type Mismatch, typeOfProtocol } from "./match.ts";
export {
  FAMILIES,
  keyOf,
  knownOf,
  meantBy,
  type Names,
  numberOf,
  PROTOCOLS,
  TYPES,
} from "./names.ts";
export * from "./parse.ts";
export { QUOTA_MAX } from "./read-rule.ts";
export { plainRule, type Policy, type Rule, type RuleKind } from "./rule.ts";
