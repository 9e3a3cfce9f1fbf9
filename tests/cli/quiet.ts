import { afterAll } from "bun:test";
import { startServer, XSOCKET } from "../harness/index.ts";

/**
 * The beginning of a command line of run, with a server for all tests of the file that calls this at its top level:
 * with one, run prints no warning.
 */
export async function quietRun() {
  const server = await startServer();
  afterAll(() => server[Symbol.asyncDispose]());
  return [XSOCKET, "run", "--socket", server.path, "--port", "3000"] as const;
}
