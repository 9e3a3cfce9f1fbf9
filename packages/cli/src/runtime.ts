import manifest from "../package.json" with { type: "json" };
import { userPath } from "./directory.ts";
import { FailureError } from "./errors.ts";

/* The versions that keep what bun:ffi promises, which is experimental: those of one minor number. */
function series(version: string): string {
  return version.split(".", 2).join(".");
}

/**
 * Refuses a Bun that this command was not made for.
 *
 * @throws {FailureError}
 */
export function checkRuntime(version: string, wanted: string = manifest.engines.bun): void {
  if (series(version) === series(wanted)) return;
  throw new FailureError(
    `this is Bun ${version} and xsocket is made for ${wanted}: install that, or name it in XSOCKET_BUN`,
  );
}

/** Makes the libraries' directory absolute: it was named where the command was started, not here. */
export function settleLibraryDirectory(env: NodeJS.ProcessEnv): void {
  const named = env["XSOCKET_LIBDIR"];
  if (named) env["XSOCKET_LIBDIR"] = userPath(named);
}
