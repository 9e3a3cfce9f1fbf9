import type { Log } from "./log.ts";
import type { Server } from "./server.ts";

/* Several problems are several lines, and a record is one. */
function sentence(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll("\n", "; ");
}

/**
 * Runs a server until it is told to stop: SIGTERM and SIGINT stop it, SIGHUP reloads its policy.
 *
 * A policy that cannot be read is reported as an error, and the old one stays.
 */
export async function untilSignal(
  server: Pick<Server, "stop" | "reload" | "closed">,
  log: Log = () => {},
): Promise<void> {
  const stop = () => void server.stop();
  const reload = () =>
    void server.reload().catch((error: unknown) =>
      log({
        level: "error",
        event: "policy",
        message: `the policy stays as it was: ${sentence(error)}`,
        fields: {},
      }),
    );
  process.on("SIGTERM", stop).on("SIGINT", stop).on("SIGHUP", reload);
  try {
    await server.closed;
  } finally {
    process.off("SIGTERM", stop).off("SIGINT", stop).off("SIGHUP", reload);
  }
}
