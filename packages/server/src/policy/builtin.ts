import { plainRule, type Policy, type Rule } from "./rule.ts";

/** Ordinary sockets for everyone who can open the control socket: its permissions decide who that is. */
export const DEFAULT_POLICY: Policy = {
  source: "the default policy",
  rules: [plainRule("ordinary sockets for everyone")],
};

/** An abstract name has no permissions, so only root and the server's own user are served by default. */
export function abstractPolicy(uid: number): Policy {
  const uids = [...new Set([0, uid])].map((id) => ({ first: id, last: id }));
  const name = "ordinary sockets for root and the server's own user";
  return { source: "the default policy for an abstract name", rules: [plainRule(name, { uids })] };
}

/** What counts where no policy is given. */
export function defaultPolicy(address: string): Policy {
  return address.startsWith("@") ? abstractPolicy(process.geteuid?.() ?? 0) : DEFAULT_POLICY;
}

/** The flags of a command line that stand for rules. */
export type RuleFlags = Partial<Pick<Rule, "uids" | "gids" | "socketsPerMinute">>;

function withQuota(rule: Rule, socketsPerMinute: number | undefined): Rule {
  return { ...rule, socketsPerMinute };
}

/**
 * Turns the flags of a command line into rules: one for the users and one for the groups. A quota alone is for
 * those whom the default serves, so that it lets nobody in.
 */
export function flagPolicy({ uids, gids, socketsPerMinute }: RuleFlags, address: string): Policy {
  const named = [
    ...(uids ? [plainRule("--allow-user", { uids })] : []),
    ...(gids ? [plainRule("--allow-group", { gids })] : []),
  ];
  const rules = named.length > 0 ? named : defaultPolicy(address).rules;
  return {
    source: "the command line",
    rules: rules.map((rule) => withQuota(rule, socketsPerMinute)),
  };
}
