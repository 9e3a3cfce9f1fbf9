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

/** Turns the flags of a command line into rules: one for the users, one for the groups, or one for everyone. */
export function flagPolicy(
  flags: Partial<Pick<Rule, "uids" | "gids" | "socketsPerMinute">>,
): Policy {
  const { uids, gids, socketsPerMinute } = flags;
  const rules = [
    ...(uids ? [plainRule("--allow-user", { uids, socketsPerMinute })] : []),
    ...(gids ? [plainRule("--allow-group", { gids, socketsPerMinute })] : []),
  ];
  const everyone = plainRule("ordinary sockets for everyone", { socketsPerMinute });
  return { source: "the command line", rules: rules.length > 0 ? rules : [everyone] };
}
