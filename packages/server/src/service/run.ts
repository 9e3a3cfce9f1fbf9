import { codeOf, loadSyscalls, type Syscalls } from "@xsocket/xbind-native";
import { counted } from "../_counted.ts";
import { systemError } from "../_failure.ts";
import { isUnmapped } from "../_unmapped.ts";
import { DEFAULT_BOUNDS } from "../bounds.ts";
import { bindControl } from "../control/listen.ts";
import { ServeError } from "../error.ts";
import { type Log, say, wantedOf } from "../log.ts";
import { DEFAULT_MODE, type ServeOptions } from "../options.ts";
import { serve, type Server } from "../server.ts";
import { type Signalled, untilSignal } from "../signals.ts";
import { inFormerNamespace, outOfReach } from "../status.ts";
import { type Activation, octal, overridden, takeActivation } from "./activation.ts";
import { barrierTo } from "./barrier.ts";
import { execAs, type Identity, type Successor } from "./drop.ts";
import { type MetricsAddress, serveMetrics } from "./metrics.ts";
import { type Notifier, openNotifier, watchdogMs } from "./notify.ts";
import { letGoOfStart } from "./trim.ts";

/** What a server in service is started with. */
export interface ServiceOptions extends ServeOptions {
  /** What to become once the control socket is there: this program again, as another user. */
  readonly successor?: Successor | undefined;
  /** Where to serve metrics. */
  readonly metrics?: MetricsAddress | undefined;
}

/* The options of serve() with a log that is always there. */
type Said = ServeOptions & { readonly log: Log };

/* What was passed at start replaces the address; its permissions are its maker's to choose. */
function withActivation(options: Said, activation: Activation): Said {
  const { address: _address, mode: _mode, group: _group, ...rest } = options;
  return { ...rest, listenFd: activation.fd, ownsFile: activation.own };
}

/* The program that is started as the user must be within that user's reach. */
function refuseUnreadable({ user, files }: Successor): void {
  for (const path of files) {
    const barrier = barrierTo(user, path);
    if (barrier !== undefined)
      throw new ServeError(
        "PERMISSION",
        `uid ${user.uid} cannot read ${path}, since ${barrier} is closed to that user: install xsocket where everybody may read it ("./dev install", or a package), or open that path with chmod`,
      );
  }
}

function remedyFor(user: Identity, code: string): string {
  if (isUnmapped(user))
    return "Name one that this user namespace has, with all its groups (/proc/self/uid_map, gid_map), or leave --user out";
  if (code === "ENOSYS") return "Let the seccomp filter allow close_range, or leave --user out";
  if (code === "EAGAIN") return "Raise the limit of that user's processes (ulimit -u, LimitNPROC=)";
  return "Leave CAP_SETUID, CAP_SETGID and CAP_SETPCAP to it, or --user out";
}

/** Becomes another user, by executing this program anew. Returns only if that is done already. */
async function becomeUser(
  sys: Syscalls,
  options: ServeOptions,
  successor: Successor,
  activation: Activation | undefined,
): Promise<void> {
  const { user } = successor;
  if (process.geteuid?.() === user.uid) return;
  if (process.geteuid?.() !== 0)
    throw new ServeError(
      "PERMISSION",
      `only root can become another user, and this is uid ${process.geteuid?.()}: start the server as root, or without --user`,
    );
  refuseUnreadable(successor);
  openNotifier(sys, { ...process.env })[Symbol.dispose](); // a wrong NOTIFY_SOCKET is told before anything is made
  const bound = activation ? undefined : await bindControl(options, user);
  try {
    const fd = bound?.listenFd ?? activation?.fd ?? -1;
    execAs(sys, fd, successor, activation?.own ?? true);
  } catch (error) {
    await bound?.release().catch(() => {}); // else the next start replaces it
    throw systemError(`become uid ${user.uid}`, error, remedyFor(user, codeOf(error)));
  }
}

function describe(server: Server): string {
  const { address, unreachable, policy, stats } = server.status();
  const serving = unreachable ? "Not to be found any more at" : "Serving";
  const outdated = policy.outdated ? "; the policy could not be read again" : "";
  const handedOut = counted(stats.granted, "socket");
  const refused = counted(stats.denied + stats.refusedInFlight, "request");
  const connections = counted(stats.connections, "connection");
  return `${serving} ${address}: ${handedOut} handed out, ${refused} refused, ${connections}${outdated}`;
}

/*
 * Makes a function that logs, the first time it finds so, that new clients do not find the server any more, and
 * that its namespace is no longer the one of that name.
 */
function lookout(server: Server, log: Log): () => void {
  const was = { address: false, namespace: false };
  const tell = (event: keyof typeof was, message: string | undefined) => {
    if (message !== undefined && !was[event]) say(log, "error", event, message);
    was[event] = message !== undefined;
  };
  return () => {
    const { formerNamespace: name } = server.status();
    tell("address", server.isReachable() ? undefined : outOfReach(server.address));
    tell("namespace", name === undefined ? undefined : inFormerNamespace(name));
  };
}

/** Tells the manager at each interval that all threads answer; says nothing while one does not. */
function startWatchdog(
  server: Server,
  notifier: Notifier,
  look: () => void,
  ms: number,
): Disposable {
  let said = "";
  const beat = () => {
    look();
    if (!server.isAnswering()) return;
    const text = describe(server);
    // the other half is for signals: a manager that never reads must not keep them from being heard
    notifier.watchdog(Math.floor(ms / 2), text === said ? undefined : text);
    said = text;
  };
  const timer = setInterval(beat, ms);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function sayReloaded(server: Server, log: Log): void {
  const { source, rules, outdated } = server.status().policy;
  if (outdated) return; // untilSignal says so
  say(log, "info", "reload", `reloaded: ${counted(rules, "rule")} of ${source}`);
}

/* The server for untilSignal(), with messages to the manager before and after each action. */
function announced(server: Server, notifier: Notifier, look: () => void, log: Log): Signalled {
  return {
    closed: server.closed,
    stop() {
      notifier.stopping();
      return server.stop();
    },
    async reload() {
      notifier.reloading();
      try {
        await server.reload();
      } finally {
        sayReloaded(server, log); // also when only the audit file could not be opened
        look();
        notifier.ready(describe(server));
      }
    },
  };
}

/* The bounds that the limit of descriptors may lower, each with its option and the bound of all users together. */
const FITTED = [
  ["--max-connections", "maxConnections", "maxConnections"],
  ["--max-connections-per-user", "maxConnectionsPerUid", "maxConnections"],
  ["--max-in-flight", "maxInFlight", "maxInFlight"],
  ["--max-in-flight-per-user", "maxInFlightPerUid", "maxInFlight"],
] as const;

/*
 * Warns of bounds that were asked for and do not fit below the limit of descriptors, or below the bound of all users
 * if that was not set: where both were, one user may have all.
 */
function warnOfFitting(options: Said, { bounds }: Server): void {
  for (const [option, name, ofAll] of FITTED) {
    const asked = options[name] ?? 0;
    const wanted = Math.min(asked, options[ofAll] ?? DEFAULT_BOUNDS[ofAll]);
    const warn = (instead: number, remedy: string) => {
      const message = `${option} is ${bounds[name]} instead of ${instead}: raise ${remedy}`;
      say(options.log, "warning", "bound", message);
    };
    if (wanted > bounds[name])
      warn(wanted, "the limit of open files for more (ulimit -n, LimitNOFILE=)");
    else if (asked > wanted && options[ofAll] === undefined)
      warn(asked, `${option.replace("-per-user", "")} as well`);
  }
}

/* Warns of permissions with which nobody can connect, or not the group that was named: that takes the one to write. */
function warnOfClosed({ mode = DEFAULT_MODE, group, log }: Said): void {
  const found = `mode ${octal(mode)}, since that takes permission to write: give it, as in --mode 0660`;
  if ((mode & 0o222) === 0) say(log, "warning", "mode", `only root can connect with ${found}`);
  else if (group !== undefined && (mode & 0o020) === 0)
    say(log, "warning", "mode", `the group ${group} cannot connect with ${found}`);
}

function warnOfOverridden(options: Said, { address }: Server): void {
  for (const message of overridden(options, address))
    say(options.log, "warning", "activation", message);
}

/* Starts the server and what runs beside it; `owned` ends all of it. */
async function start(
  sys: Syscalls,
  given: Said,
  activation: Activation | undefined,
  metrics: MetricsAddress | undefined,
  notifier: Notifier,
  owned: AsyncDisposableStack,
): Promise<Signalled> {
  const interval = watchdogMs();
  const options = activation ? withActivation(given, activation) : given;
  const server = owned.use(await serve(options));
  if (metrics) owned.use(await serveMetrics(server, metrics, options.log));
  const look = lookout(server, options.log);
  if (interval !== undefined) owned.use(startWatchdog(server, notifier, look, interval));
  say(options.log, "info", "serving", `serving at ${server.address}`);
  warnOfFitting(options, server);
  if (activation?.own === false) warnOfOverridden(given, server);
  else warnOfClosed(given);
  notifier.ready(describe(server));
  letGoOfStart(sys);
  return announced(server, notifier, look, options.log);
}

/**
 * Runs a server as a service until a signal ends it: takes a socket that was passed at start,
 * becomes another user, tells the manager of readiness, reloads, the end, and life at intervals.
 *
 * @throws {ServeError} if it cannot start
 * @throws {PolicyError} for a policy that cannot be used
 */
export async function runService(given: ServiceOptions): Promise<void> {
  const { successor, metrics, ...own } = { ...given, log: wantedOf(given) };
  const sys = loadSyscalls();
  const activation = takeActivation();
  if (successor) await becomeUser(sys, own, successor, activation);
  await using owned = new AsyncDisposableStack();
  const notifier = owned.use(openNotifier(sys));
  // it starts, and a failed start ends, while untilSignal has its handlers set
  const starting = Promise.resolve()
    .then(() => start(sys, own, activation, metrics, notifier, owned))
    .catch((error: unknown) => owned.disposeAsync().then(() => Promise.reject(error)));
  await untilSignal(starting, own.log);
}
