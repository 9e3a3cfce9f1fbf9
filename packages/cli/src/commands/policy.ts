import { AF_INET, SOCK_STREAM } from "@xsocket/protocol";
import type { ArgsDef } from "citty";
import {
  type Asked,
  type Asker,
  closedWarning,
  describeAsked,
  describeRule,
  escapeText,
  explain,
  FAMILIES,
  findIdentity,
  groupId,
  hasUnmappedIds,
  type Identity,
  keyOf,
  knownOf,
  lateWarning,
  meantBy,
  type Names,
  numberOf,
  type Policy,
  PROTOCOLS,
  readAccounts,
  readPolicy,
  type Step,
  typeOfProtocol,
  TYPES,
  vainWarning,
} from "@xsocket/server";
import { command, flag, type Given, once, option } from "../command.ts";
import { userPath } from "../directory.ts";
import { EXIT, FailureError, MisuseError } from "../errors.ts";
import { complain } from "../complain.ts";
import { idList, IDS, wholeNumber } from "../numbers.ts";
import { result, words } from "../words.ts";

/* The options of "policy test". */
const question = {
  user: option("USER", "Who asks, by name"),
  uid: option("UID", "Who asks, by number"),
  gid: option("GROUP", "The asking process's group, by name or number (default: that user's)"),
  groups: once(
    "GROUP",
    "Its supplementary groups: names or ids, separated by commas (default: that user's)",
  ),
  family: option("FAMILY", "What is asked for, as AF_INET6 or inet6 (default: AF_INET)"),
  type: option("TYPE", "As SOCK_DGRAM or dgram (default: SOCK_STREAM, or what the protocol has)"),
  protocol: option("PROTOCOL", "As IPPROTO_MPTCP or mptcp (default: 0)"),
  status: flag("Ask for the status instead of a socket"),
} as const satisfies ArgsDef;

const args = {
  action: {
    type: "positional",
    valueHint: "check|test",
    description: "check reads the file; test says which rule decides about a request",
  },
  file: { type: "positional", description: "The policy" },
  ...question,
} as const satisfies ArgsDef;

type PolicyArgs = Given<typeof args>;

function number(names: Names, name: string, value: string | undefined, absent: number): number {
  if (value === undefined) return absent;
  const found = numberOf(names, value);
  if (found !== undefined) return found;
  const meant = meantBy(names, value);
  const other = meant === undefined ? keyOf(value) : name;
  const help = other === undefined ? knownOf(names) : `say --${other} ${meant ?? value}`;
  throw new MisuseError(`--${name} "${value}" is unknown: ${help}`);
}

function asked(given: PolicyArgs): Asked {
  if (given.status) {
    const lost = (["family", "type", "protocol"] as const).find((name) => given[name]);
    if (lost === undefined) return { kind: "status" };
    throw new MisuseError(`--status asks for no socket: leave --${lost} out`);
  }
  const domain = number(FAMILIES, "family", given.family, AF_INET);
  const protocol = number(PROTOCOLS, "protocol", given.protocol, 0);
  const type = number(TYPES, "type", given.type, typeOfProtocol(domain, protocol) ?? SOCK_STREAM);
  return { kind: "socket", domain, type, protocol };
}

function named(name: string): Identity {
  const found = findIdentity(readAccounts(), name);
  if (!found) throw new FailureError(`there is no user "${name}" in /etc/passwd: use --uid`);
  return found;
}

/* A number that no user has, as in a container's user namespace, is taken as the gid, too. */
function numbered(uid: number): Identity {
  return findIdentity(readAccounts(), String(uid)) ?? { uid, gid: uid, groups: [] };
}

function asker(given: PolicyArgs): Asker {
  if (given.user !== undefined && given.uid !== undefined)
    throw new MisuseError("--user and --uid both name the user: give only one of them");
  const user = given.user === undefined ? undefined : named(given.user);
  const who = given.uid === undefined ? user : numbered(wholeNumber("--uid", given.uid, IDS));
  if (who === undefined) throw new MisuseError("no user is given: name one, as in --user alice");
  const groups =
    given.groups === undefined ? who.groups : idList("--groups", given.groups, groupId);
  return {
    uid: who.uid,
    gid: given.gid === undefined ? who.gid : groupId(given.gid),
    groups: () => groups.toSorted((one, other) => one - other),
    hasUnmappedIds: hasUnmappedIds(),
  };
}

/* Escaped, since the names of rules come from a stranger if a policy is checked before it is used. */
function lines(found: readonly string[]): void {
  result(found.map((line) => escapeText(line)).join("\n"));
}

function check(policy: Policy): void {
  const rules = policy.rules.map(
    (rule, index) => `${index + 1}  ${rule.name}: ${describeRule(rule)}`,
  );
  lines([...rules, "everything else: deny"]);
  const warning = closedWarning(policy) ?? lateWarning(policy) ?? vainWarning(policy);
  if (warning !== undefined) words.warn(warning);
}

function stepLine(step: Step, index: number): string {
  const verdict =
    step.outcome === "decides" ? (step.rule.allow ? "allows" : "denies") : `no: ${step.outcome}`;
  return `${index + 1}  ${step.rule.name}: ${verdict}`;
}

function test(policy: Policy, given: PolicyArgs): void {
  const request = asked(given);
  const who = asker(given);
  const isStatus = request.kind === "status"; // a server also tells it to root and its own user
  if (isStatus && who.uid === 0)
    return result(`${describeAsked(request)} for uid 0: granted, as it always is to root`);
  const steps = explain(policy, who, request);
  const last = steps.at(-1);
  const decider = last?.outcome === "decides" ? last.rule : undefined;
  const reason = decider ? `by ${decider.name}` : "since no rule matches";
  const isGranted = decider?.allow === true;
  const verdict = isGranted ? "granted" : "refused";
  const exception = isStatus && !isGranted ? ", unless the server runs as this user" : "";
  lines([
    ...steps.map(stepLine),
    `${describeAsked(request)} for uid ${who.uid}: ${verdict} ${reason}${exception}`,
  ]);
  if (!isGranted) process.exitCode = EXIT.failed;
}

/* As with grep(1), 1 is an answer, "refused", and what prevents an answer ends with 2. */
function answer(file: string, given: PolicyArgs): void {
  try {
    test(readPolicy(userPath(file)), given);
  } catch (error) {
    complain(error, EXIT.misused);
  }
}

export default command({
  meta: { description: "Check a policy, or say which of its rules decides" },
  args,
  execute(given) {
    const { action, file } = given;
    if (action !== "check" && action !== "test")
      throw new MisuseError(
        `${action === undefined ? "no action is named" : `there is no action "${action}"`}: say "xsocket policy check FILE" or "xsocket policy test FILE --user NAME"`,
      );
    if (!file) throw new MisuseError(`no policy is named: say "xsocket policy ${action} FILE"`);
    const lost = Object.keys(question).find((name) => Reflect.get(given, name));
    if (action === "check" && lost !== undefined)
      throw new MisuseError(`check takes no request: leave --${lost} out, or use "test"`);
    if (action === "check") check(readPolicy(userPath(file)));
    else answer(file, given);
  },
});
