import { AF_INET, SOCK_RAW } from "@xsocket/protocol";
import {
  type Asked,
  type Asker,
  canonical,
  isInet,
  type Mismatch,
  mismatch,
  typeOfProtocol,
} from "./match.ts";
import { FAMILIES, nameOf, type Names, PROTOCOLS, TYPES } from "./names.ts";
import { formatIds } from "./ids.ts";
import type { Policy, Rule } from "./rule.ts";

/** Writes what was asked in the words of the manual pages. */
export function describeAsked(asked: Asked): string {
  if (asked.kind === "status") return "the status";
  const { domain, type, protocol } = canonical(asked);
  const isNamed = isInet(domain) && protocol !== 0;
  const named = isNamed ? nameOf(PROTOCOLS, protocol) : `protocol ${protocol}`;
  return `${nameOf(FAMILIES, domain)} ${nameOf(TYPES, type)} ${named}`;
}

function namesOf(names: Names, values: readonly number[]): string {
  return values.map((value) => nameOf(names, value)).join(",");
}

/** Writes a rule in one line, as `xsocket policy check` lists it. */
export function describeRule(rule: Rule): string {
  const parts = [
    rule.allow ? "allow" : "deny",
    rule.kind === "socket" ? undefined : describeAsked({ kind: rule.kind }),
    rule.uids && `uid ${formatIds(rule.uids)}`,
    rule.gids && `gid ${formatIds(rule.gids)}`,
    rule.families && namesOf(FAMILIES, rule.families),
    rule.types && namesOf(TYPES, rule.types),
    rule.protocols && namesOf(PROTOCOLS, rule.protocols),
    rule.socketsPerMinute && `${rule.socketsPerMinute} sockets a minute`,
    rule.connections && `${rule.connections} connections`,
  ];
  return parts.filter((part) => part !== undefined).join(" ");
}

/* Whether a rule names no kind of socket. */
function isOfAnySocket({ kind, families, types, protocols }: Rule): boolean {
  return kind === "socket" && !families && !types && !protocols;
}

/* Whether it names nobody either. */
function isForAll(rule: Rule): boolean {
  return isOfAnySocket(rule) && !rule.uids && !rule.gids;
}

/** The warning about a policy that refuses everyone, as an empty file, or one not written yet, does. */
export function closedWarning({ source, rules }: Policy): string | undefined {
  const first = rules.find((rule) => rule.kind === "socket" && (rule.allow || isForAll(rule)));
  if (first?.allow) return undefined;
  const why = rules.some(({ allow, kind }) => allow && kind === "socket")
    ? `${first?.name} of ${source} denies all sockets to everybody: put it last`
    : `no rule of ${source} allows one: add one with action = "allow", or check that this is the right file`;
  return `nobody gets a socket, since ${why}`;
}

/** The warning about rules after one for everybody, which decides before they are tried. */
export function lateWarning({ rules }: Policy): string | undefined {
  const at = rules.findIndex((rule) => isForAll(rule));
  const [first, ...rest] = at < 0 ? [] : rules.slice(at);
  const late = rest.filter((rule) => (first?.allow ? isOfAnySocket(rule) : rule.kind === "socket"));
  if (!first || late.length === 0) return undefined;
  const what = first.allow ? "ordinary" : "all";
  return `${first.name} decides about ${what} sockets for everybody, so those after it do not (${late.map(({ name }) => name).join(", ")}): put it last`;
}

/* Why a rule that allows sockets allows none: its types and its protocols do not go together. */
function whyVain({ allow, families = [AF_INET], types, protocols }: Rule): string | undefined {
  if (!allow || !types || !protocols || types.includes(SOCK_RAW)) return undefined;
  const isVain = families.every((family) =>
    protocols.every((protocol) => {
      const type = typeOfProtocol(family, protocol);
      return type !== undefined && !types.includes(type);
    }),
  );
  if (!isVain) return undefined;
  return `no ${namesOf(TYPES, types)} socket has the protocol ${namesOf(PROTOCOLS, protocols)}`;
}

/** The warning about a rule that was meant to allow something, and allows only what the kernel does not have. */
export function vainWarning({ rules }: Policy): string | undefined {
  for (const rule of rules) {
    const why = whyVain(rule);
    if (why !== undefined)
      return `${rule.name} allows nothing, since ${why}: leave its type or its protocol out`;
  }
  return undefined;
}

/** How the trial of one rule ended: it decided, or what in it did not match. */
export interface Step {
  readonly rule: Rule;
  readonly outcome: "decides" | Mismatch;
}

/** Tries the rules in order and keeps what happened, up to the rule that decides: for `xsocket policy test`. */
export function explain(policy: Policy, asker: Asker, asked: Asked): readonly Step[] {
  const steps: Step[] = [];
  for (const rule of policy.rules) {
    const found = mismatch(rule, asker, asked);
    steps.push({ rule, outcome: found ?? "decides" });
    if (!found) break;
  }
  return steps;
}
