import type { IdRange } from "./ids.ts";

/** What a rule may be about: sockets, or the status of the server. */
export const RULE_KINDS = ["socket", "status"] as const;
/** Whether a rule is about sockets, or about the status of the server. */
export type RuleKind = (typeof RULE_KINDS)[number];

/** One rule, as plain data, so that it can be handed to a serving thread. A key that is undefined was not named. */
export interface Rule {
  /** For people: the rule's name, or "rule 3". */
  readonly name: string;
  readonly kind: RuleKind;
  readonly allow: boolean;
  readonly uids: readonly IdRange[] | undefined;
  readonly gids: readonly IdRange[] | undefined;
  readonly families: readonly number[] | undefined;
  readonly types: readonly number[] | undefined;
  readonly protocols: readonly number[] | undefined;
  /** Sockets that each user may get in a minute. */
  readonly socketsPerMinute: number | undefined;
  /** Connections that each user may have under this rule at once. */
  readonly connections: number | undefined;
}

/** Rules in the order in which they are tried. Whatever none of them matches is refused. */
export interface Policy {
  /** Where the rules come from, for people: a file's path, "the default policy", or "the command line". */
  readonly source: string;
  readonly rules: readonly Rule[];
}

/** A rule that allows ordinary sockets for everyone, but for what `given` says. */
export function plainRule(name: string, given: Partial<Rule> = {}): Rule {
  return {
    name,
    kind: "socket",
    allow: true,
    uids: undefined,
    gids: undefined,
    families: undefined,
    types: undefined,
    protocols: undefined,
    socketsPerMinute: undefined,
    connections: undefined,
    ...given,
  };
}
