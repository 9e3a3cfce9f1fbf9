/**
 * What the command's exit codes mean. The last is what a shell reports of a program that SIGPIPE
 * has ended: its reader went away.
 */
export const EXIT = { done: 0, failed: 1, misused: 2, unread: 141 } as const;

/** The command was understood and could not be carried out. The message is one sentence with a remedy. */
export class FailureError extends Error {
  override readonly name: string = "FailureError";
  readonly exitCode: number = EXIT.failed;
}

/** The command was not understood. The message is one sentence with a remedy. */
export class MisuseError extends FailureError {
  override readonly name = "MisuseError";
  override readonly exitCode = EXIT.misused;
}
