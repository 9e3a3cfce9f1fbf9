import { statSync } from "node:fs";
import { shellWord } from "@xsocket/protocol";
import {
  BOUND_MAX,
  type Bounds,
  findIdentity,
  flagPolicy,
  groupId,
  type Identity,
  type IdRange,
  logTo,
  MAX_THREADS,
  parseIds,
  parseMetricsAddress,
  policyFile,
  QUOTA_MAX,
  readAccounts,
  type RuleFlags,
  type ServiceOptions,
} from "@xsocket/server";
import { tried } from "@xsocket/xbind-native";
import { controlSocket } from "./address.ts";
import { userPath } from "./directory.ts";
import { FailureError, MisuseError } from "./errors.ts";
import { idList, IDS, wholeNumber } from "./numbers.ts";
import { successorAs } from "./respawn.ts";
import { SERVE_ARGS, type ServeArgs } from "./serve-args.ts";

function mapped<Value>(word: string | undefined, read: (word: string) => Value): Value | undefined {
  return word === undefined ? undefined : read(word);
}

/* Reads permission bits in octal, as chmod(1) does. */
function modeBits(word: string): number {
  if (/^0?[0-7]{3}$/.test(word)) return Number.parseInt(word, 8);
  throw new MisuseError(
    `"${word}" is not a mode: give permission bits in octal, as in --mode 0660`,
  );
}

function bounds(args: ServeArgs): Partial<Bounds> {
  const found: { -readonly [Name in keyof Bounds]?: number } = {};
  for (const [option, definition] of Object.entries(SERVE_ARGS)) {
    if (!("bound" in definition)) continue;
    const word: unknown = Reflect.get(args, option);
    if (typeof word === "string")
      found[definition.bound] = wholeNumber(`--${option}`, word, { least: 1, most: BOUND_MAX });
  }
  return found;
}

function idsOf(option: string, list: string, find: (name: string) => number): IdRange[] {
  return idList(option, list, (word) => {
    const ids = parseIds(word);
    if (ids) return ids;
    if (/^\d+-\d+$/.test(word))
      throw new MisuseError(
        `${option} takes ranges with the smaller id first, up to ${IDS.most}, not "${word}"`,
      );
    const id = /^\d+$/.test(word) ? wholeNumber(option, word, IDS) : find(word);
    return { first: id, last: id };
  });
}

function userId(name: string): number {
  const user = readAccounts().users.get(name);
  if (user) return user.uid;
  throw new FailureError(`there is no user "${name}" in /etc/passwd: name others by number`);
}

function identity(name: string): Identity {
  const found = findIdentity(readAccounts(), name);
  if (found?.uid === 0)
    throw new MisuseError(
      `--user ${name} would keep all rights of root: name another user, or leave it out`,
    );
  if (found) return found;
  if (/[:,\s]/.test(name))
    throw new MisuseError(
      `--user takes one user by name or number, not "${name}": its groups come with it`,
    );
  const made = /^\d+$/.test(name)
    ? `--uid ${wholeNumber("--user", name, IDS)} NAME`
    : shellWord(name);
  throw new FailureError(
    `there is no user "${name}" in /etc/passwd: make it first (useradd --system ${made})`,
  );
}

/* Whether both names lead to the same ordinary file; two options may well name /dev/null or a terminal. */
function isOneFile(one: string, other: string): boolean {
  const [first, second] = [one, other].map((path) => tried(() => statSync(path, { bigint: true })));
  return first?.isFile() === true && first.dev === second?.dev && first.ino === second.ino;
}

/* Other programs take "-" for standard output; here it would be a file of that name. */
function auditFile(name: string, policyName?: string): string {
  if (name === "-")
    throw new MisuseError("--audit takes a file: /dev/stdout is standard output, ./- one named so");
  const path = userPath(name);
  if (policyName !== undefined && isOneFile(path, userPath(policyName)))
    throw new MisuseError(
      `--audit would write into the policy, ${path}: give the audit a file of its own`,
    );
  return path;
}

const RULES = ["allow-user", "allow-group", "sockets-per-minute"] as const;

function ruleFlags(args: ServeArgs): RuleFlags {
  return {
    uids: mapped(args["allow-user"], (list) => idsOf("--allow-user", list, userId)),
    gids: mapped(args["allow-group"], (list) => idsOf("--allow-group", list, groupId)),
    socketsPerMinute: mapped(args["sockets-per-minute"], (word) =>
      wholeNumber("--sockets-per-minute", word, { least: 1, most: QUOTA_MAX }),
    ),
  };
}

/* Rules from a file or from the flags. Each reload reads that file, or what the names in the flags stand for. */
function policy(args: ServeArgs): ServiceOptions["policy"] {
  const file = mapped(args.policy, userPath);
  const beside = RULES.find((name) => args[name] !== undefined);
  if (beside === undefined) return mapped(file, policyFile);
  let first: RuleFlags | undefined = ruleFlags(args); // tells mistakes before anything is made
  if (file !== undefined)
    throw new MisuseError(
      `--policy and --${beside} cannot be combined: put everything into the file`,
    );
  return (address) => {
    const flags = first ?? ruleFlags(args);
    first = undefined;
    return flagPolicy(flags, address);
  };
}

/* A word with a slash is a path, but not that of a URL, with or without its beginning: 127.0.0.1:9101/metrics. */
function metricsAddress(word: string, remote: boolean): ServiceOptions["metrics"] {
  const isPath = word.includes("/") && !/^(?:[^/]*:)?\d+\/|:\/\//.test(word);
  return parseMetricsAddress(isPath ? userPath(word) : word, remote);
}

/* What other programs do at such a word, and here would be the name of a file. */
const VERBS = new Set(["start", "stop", "restart", "reload", "status"]);

function servedAt(word: string): string {
  if (VERBS.has(word))
    throw new MisuseError(
      `serve takes a path or @name and runs until a signal ends it: leave "${word}" out, or give ./${word} for a socket of that name`,
    );
  return controlSocket(word);
}

/**
 * Turns the options of the command into those of the server.
 *
 * @throws {MisuseError} for values that are not understood
 * @throws {FailureError} for users that do not exist
 */
export function serviceOptions(args: ServeArgs): ServiceOptions {
  const remote = args["metrics-remote"] === true;
  if (remote && args.metrics === undefined)
    throw new MisuseError("--metrics-remote alone has no effect: add --metrics ADDRESS");
  return {
    address: mapped(args.address, servedAt),
    mode: mapped(args.mode, modeBits),
    group: args.group,
    sharedDirectory: args["shared-directory"] === true,
    refuseDescriptors: args["refuse-descriptors"] === true,
    successor: mapped(args.user, (name) => successorAs(identity(name))),
    policy: policy(args),
    auditFile: mapped(args.audit, (name) => auditFile(name, args.policy)),
    metrics: mapped(args.metrics, (word) => metricsAddress(word, remote)),
    threads: mapped(args.threads, (word) =>
      wholeNumber("--threads", word, { least: 1, most: MAX_THREADS }),
    ),
    log: logTo(args["log-format"]),
    logLevel: args["log-level"],
    ...bounds(args),
  };
}
