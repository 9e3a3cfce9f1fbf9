import { reasonOf } from "@xsocket/xbind-native";
import { ServeError, type ServeErrorCode } from "./error.ts";
import { type Log, say, wantedOf } from "./log.ts";
import type { Server } from "./server.ts";

const PROBLEMS_MAX = 10; // of a file with mistakes, in one record
const RELOAD_WAIT_MS = 10_000; // then one whose policy function may never settle holds up no further one

/* A record is one line, but a policy may have several problems, and a file that is no policy thousands. */
function sentence(error: unknown): string {
  const problems = reasonOf(error).split("\n");
  const said = problems.slice(0, PROBLEMS_MAX).join("; ");
  const more = problems.length - PROBLEMS_MAX;
  return more > 0 ? `${said}; and ${more} more (xsocket policy check names them all)` : said;
}

/* What reload() throws for the audit file. Others come from the policy function, or are about what it has returned. */
const OF_AUDIT_FILE: readonly string[] = ["PERMISSION", "SYSTEM"] satisfies ServeErrorCode[];

function sayFailure(log: Log, error: unknown): void {
  const event =
    error instanceof ServeError && OF_AUDIT_FILE.includes(error.code) ? "audit" : "policy";
  const what = event === "audit" ? "the audit file" : "the policy";
  say(log, "error", event, `${what} stays as it was: ${sentence(error)}`);
}

/* For a signal before a start that fails: the failure itself is thrown by untilSignal. */
function noServer(): void {}

/*
 * Signals that come in one go are one reload, and those that come while one is under way are one more:
 * each is an order to every serving thread, and hundreds would keep clients and the end waiting.
 */
function together(run: () => Promise<void>): () => void {
  let asked = 0;
  const begin = async (): Promise<void> => {
    for (let heeded = 0; heeded !== asked;) {
      heeded = asked;
      const { promise: late, resolve } = Promise.withResolvers<void>();
      setTimeout(resolve, RELOAD_WAIT_MS).unref();
      await Promise.race([run(), late]);
    }
    asked = 0;
  };
  return () => {
    if (asked++ === 0) setImmediate(() => void begin());
  };
}

/** What the signals do to a server. */
export type Signalled = Pick<Server, "stop" | "reload" | "closed">;

/**
 * Runs a server until it is told to stop: SIGTERM and SIGINT stop it, SIGHUP reloads its policy.
 * Given the promise of a server, it handles signals from the start: one that comes between listening and
 * serving would otherwise end the program and leave the socket file behind.
 *
 * A policy or an audit file that cannot be opened or read is logged as an error, and the old one stays. What
 * `log` throws is an uncaught exception. A SIGHUP that comes while the policy function is at work waits for that,
 * for 10 seconds at most.
 *
 * @throws what the promise of a server that does not start is rejected with
 * @throws {ServeError} SYSTEM if the server has ended by itself, as `closed` says
 */
export async function untilSignal(
  server: Signalled | Promise<Signalled>,
  log?: Log,
): Promise<void> {
  const started = Promise.resolve(server);
  const wanted = wantedOf({ log });
  const failed = (error: unknown) => {
    const failures: unknown[] = error instanceof AggregateError ? error.errors : [];
    for (const failure of failures.length > 0 ? failures : [error]) sayFailure(wanted, failure);
  };
  const stop = () => void started.then((running) => running.stop(), noServer);
  const reload = together(() =>
    started.then((running) => running.reload().catch(failed), noServer),
  );
  process.on("SIGTERM", stop).on("SIGINT", stop).on("SIGHUP", reload);
  try {
    const { closed } = await started;
    await closed;
  } finally {
    process.off("SIGTERM", stop).off("SIGINT", stop).off("SIGHUP", reload);
  }
}
