import { DEFAULT_ADDRESS } from "@xsocket/protocol";
import { codeOf, SyscallError } from "@xsocket/xbind-native";
import { explain } from "./_explain.ts";

/**
 * What was being done when an operation failed.
 *
 * - `options`: reading the arguments
 * - `reach`: opening the server's control socket
 * - `ask`: waiting for the server's answer, or the server's own answer
 * - `resolve`: looking a host name up in the target namespace
 * - `bind`, `listen`, `connect`: that call on the new socket, in the target namespace
 * - `adopt`: giving the socket to Bun
 */
export type XSocketStep =
  | "options"
  | "reach"
  | "ask"
  | "resolve"
  | "bind"
  | "listen"
  | "connect"
  | "adopt";

/** What an {@link XSocketError} is made of. */
export interface XSocketFailure {
  readonly code: string;
  readonly step: XSocketStep;
  /** The control socket; if undefined the default one, or at `options` none. */
  readonly server?: string | undefined;
  /** What was attempted, to be read after "cannot", for example "connect to 10.0.0.1:80". */
  readonly asked: string;
  /** What was found instead; by default what `code` means at this step. */
  readonly found?: string | undefined;
  /** What to do about it; by default what helps with `code` at this step. */
  readonly remedy?: string | undefined;
  readonly cause?: unknown;
  /** The call that Node and Bun name in such an error, and the address and port that it was for. */
  readonly syscall?: string | undefined;
  readonly address?: string | undefined;
  readonly port?: number | undefined;
}

/**
 * An operation of this package failed. docs/errors.md lists the codes with causes and remedies.
 *
 * @example
 * try {
 *   using socket = await xsocket({ via: "/run/nowhere", family: 6 });
 * } catch (error) {
 *   if (error instanceof XSocketError && error.code === "ENOENT") console.error(error.remedy);
 * }
 */
export class XSocketError extends Error {
  override readonly name = "XSocketError";
  /** The name of an errno, for example "ECONNREFUSED", or of a failed name lookup: ENOTFOUND, ESERVFAIL, …. */
  readonly code: string;
  /** What was being done. ECONNREFUSED at `reach` is about the server, at `connect` about the peer. */
  readonly step: XSocketStep;
  /** The server's control socket, as it was given; may be missing at `options`. */
  declare readonly server?: string;
  /** The number of `code`, negative as in Node and Bun; missing if no system call failed. */
  declare readonly errno?: number;
  /** The call as Node and Bun name it: "connect"; "listen" for every step of a listener; "bind" for datagrams; else missing. */
  declare readonly syscall?: string;
  /** The address of that call, of several the one that `code` is about; missing without `syscall`. */
  declare readonly address?: string;
  /** The port beside `address`. */
  declare readonly port?: number;
  /** What was attempted, for example "get an IPv6 stream socket". */
  declare readonly asked: string;
  /** What to do about it, one or two sentences. */
  declare readonly remedy: string;

  readonly #cause: unknown;

  /* Not an own property: Bun would print that with its stack, which adds nothing to the message. */
  static {
    const get = function (this: XSocketError): unknown {
      return this.#cause;
    };
    Object.defineProperty(this.prototype, "cause", { get });
  }

  constructor(failure: XSocketFailure) {
    const server = failure.server ?? DEFAULT_ADDRESS;
    const [meaning, help] = explain(failure.step, failure.code, server);
    const { found = meaning, remedy = help } = failure;
    const through = failure.step === "options" ? "" : ` through ${server}`;
    super(`cannot ${failure.asked}${through}: ${found} (${failure.code}). ${remedy}`);
    this.code = failure.code;
    this.step = failure.step;
    const { asked, cause, syscall, address, port } = failure;
    const number = cause instanceof SyscallError && { errno: -cause.errno };
    this.#cause = cause;
    // Not enumerable, so that they are not printed again: the message has them already.
    const named = (failure.server !== undefined || failure.step !== "options") && { server };
    const call = syscall !== undefined && { syscall, address, port };
    for (const [name, value] of Object.entries({ ...named, remedy, asked, ...number, ...call }))
      Object.defineProperty(this, name, { value });
    this.stack = callersStack(this.stack);
  }
}

/* The stack from the caller's line on, so that Bun shows that line for an uncaught error. In a bundle our lines
   cannot be told from the user's, so all stay. Where no other line is left, as at a top-level await, ours lose
   their directory, so that Bun finds no file to show a line of.
   Bun writes "at FILE:1:2" for code outside functions, but reads only "at <anonymous> (FILE:1:2)". */
function callersStack(stack = ""): string {
  if (import.meta.file !== "error.ts") return stack;
  const lines = stack
    .split("\n")
    .filter((line) => !line.includes(`${import.meta.dir}/`))
    .map((line) => line.replace(/^( +at )(\/.*:\d+:\d+)$/, "$1<anonymous> ($2)"));
  const isAnyLeft = lines.some((line) => /^\s+at /.test(line));
  return isAnyLeft ? lines.join("\n") : stack.replaceAll(import.meta.dir, "@xsocket/client");
}

/** Takes our lines out of the stack of an error that is Bun's: what it refuses was given by our caller. */
export function withoutOurLines(error: unknown): unknown {
  if (error instanceof Error && error.stack?.includes(`${import.meta.dir}/`))
    error.stack = callersStack(error.stack);
  return error;
}

/** Gives an error from a callback the stack of the code that awaits it, from the caller's line on. */
export function atCaller(error: Error): Error {
  const { stack } = error;
  Error.captureStackTrace(error, atCaller);
  const lines = callersStack(error.stack);
  error.stack = /^\s+at (?!.*\(native:)/m.test(lines) ? lines : (stack ?? "");
  return error;
}

const STEPS: Record<string, XSocketStep> = { bind: "bind", listen: "listen", connect: "connect" };

/** Turns the error of a native call into an XSocketError, by default of the step that the call belongs to; others are bugs
    or aborts, and stay. */
export function failed(
  error: unknown,
  server: string,
  asked: string,
  known?: Partial<XSocketFailure>,
): unknown {
  if (!(error instanceof SyscallError)) return error;
  const step = STEPS[error.call] ?? "adopt";
  return new XSocketError({ code: error.code, step, server, asked, cause: error, ...known });
}

const UNUSABLE = new Set(["EAFNOSUPPORT", "EADDRNOTAVAIL", "ENETUNREACH"]);

/** Whether an error says nothing about the next address: the target namespace lacks this one or its IP version, or the
    server's policy refuses that. */
export function isUnusable(error: unknown): boolean {
  const isDenied = error instanceof XSocketError && error.step === "ask" && error.code === "EPERM";
  return isDenied || UNUSABLE.has(codeOf(error));
}
