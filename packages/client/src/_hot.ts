import type { Server } from "bun";

/*
 * Under "bun --hot" a program runs again in the same process, and Bun.serve gives the new handlers to the
 * server of the first run. For servers that were started through us, we have to find that one ourselves.
 */
const SERVERS = Symbol.for("@xsocket/client servers");

function isHot(): boolean {
  return process.execArgv.includes("--hot");
}

function servers(): Map<string, unknown> {
  const known: unknown = Reflect.get(globalThis, SERVERS);
  if (known instanceof Map) return known;
  const made = new Map<string, unknown>();
  Reflect.set(globalThis, SERVERS, made);
  return made;
}

/** The server that an earlier run of this program started under this name, if it still runs. */
export function earlierServer<Data>(name: string): Server<Data> | undefined {
  if (!isHot()) return undefined;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the same program made it
  const server = servers().get(name) as Server<Data> | undefined;
  return server?.port ? server : undefined; // one that was stopped has port 0
}

/** Remembers a server for the next run of this program. */
export function rememberServer(name: string, server: unknown): void {
  if (isHot()) servers().set(name, server);
}

/** A unique `id`, since under --hot Bun takes two servers at the same address for one. */
export function hotId(id: string | null | undefined): { id?: string } {
  return isHot() && !id ? { id: crypto.randomUUID() } : {};
}
