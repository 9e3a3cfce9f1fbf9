import { ServeError } from "./error.ts";

const PERMISSION = new Set(["EACCES", "EPERM", "EROFS"]);

/** The code of what the runtime has thrown, as ENOENT; else its words. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}

/** What an error says. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Refuses an option that cannot be right. @throws {ServeError} MISUSE */
export function misuse(message: string): never {
  throw new ServeError("MISUSE", message);
}

/** What went wrong for any other reason, with a remedy where the caller knows one. */
export function systemError(attempt: string, error: unknown, remedy?: string): ServeError {
  if (PERMISSION.has(codeOf(error))) return refusal(attempt, error, remedy);
  const rest = remedy === undefined ? "" : `. ${remedy}`;
  return new ServeError("SYSTEM", `cannot ${attempt}: ${codeOf(error)}${rest}`, { cause: error });
}

/** What the kernel forbids to this user, with the way out. */
export function refusal(
  attempt: string,
  error: unknown,
  remedy = "Use a directory that this user may write to, or run as another user",
): ServeError {
  const code = codeOf(error);
  if (!PERMISSION.has(code)) return systemError(attempt, error);
  return new ServeError(
    "PERMISSION",
    `cannot ${attempt} as uid ${process.geteuid?.()}: ${code}. ${remedy}`,
    { cause: error },
  );
}
