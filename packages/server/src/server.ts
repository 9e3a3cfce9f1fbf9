import { pathToFileURL } from "bun";
import { join } from "node:path";
import { loadSyscalls } from "@xsocket/xbind-native";
import { checkedOptions } from "./_check-options.ts";
import { lastingPath } from "./_path.ts";
import { loadPolicy, release, RunningServer, type Server, warnIfClosed } from "./_running.ts";
import { type Bounds, DEFAULT_BOUNDS, fitBounds } from "./bounds.ts";
import { listen, ownUser } from "./control/listen.ts";
import { refuseDescriptorsOf } from "./control/passrights.ts";
import { wantedOf } from "./log.ts";
import { createMemory } from "./memory/memory.ts";
import { Shared } from "./memory/shared.ts";
import { DEFAULT_LOG_LEVEL, DEFAULT_THREADS, type ServeOptions } from "./options.ts";
import { Pool } from "./pool/pool.ts";
import { beginAudit } from "./serving/audit.ts";
import { ownNamespace } from "./status.ts";

export type { Server } from "./_running.ts";

/* In a bundle it lies beside the script. */
const WORKER = pathToFileURL(join(import.meta.dir, "_worker.ts"));

/*
 * The tables of connections are indexed by descriptor and have room for those below this number. That is
 * more than maxConnections, since the program may have many other descriptors open, and room that is not
 * used takes no memory.
 */
function descriptorsFor({ maxConnections }: Bounds, limit: number): number {
  return Math.min(limit, 2 * Math.max(maxConnections, DEFAULT_BOUNDS.maxConnections) + 1024);
}

/**
 * Starts a server in this process's network namespace. It serves when the promise resolves.
 *
 * Signals are the program's business: {@link untilSignal} handles them in the usual way.
 *
 * @throws {ServeError} if it cannot start
 * @throws {LibraryNotFoundError} if libxsocket.so is not there
 * @throws {InstallationError} if it cannot be loaded, or Bun is of another series
 * @throws what `options.policy` throws
 */
export async function serve(given: ServeOptions = {}): Promise<Server> {
  const asked = checkedOptions(given);
  const { threads = DEFAULT_THREADS, auditFile } = asked;
  const options = { ...asked, auditFile: auditFile && lastingPath(auditFile) };
  const sys = loadSyscalls();
  const descriptorLimit = sys.descriptorLimit();
  const bounds = fitBounds(options, descriptorLimit, threads);
  const log = wantedOf(options);
  const claim = await listen(sys, { ...options, log }, bounds);
  let auditFd = -1;
  try {
    // a socket made here has refused them since before it listened
    if (options.listenFd !== undefined && options.refuseDescriptors === true)
      refuseDescriptorsOf(sys, claim.listenFd);
    const policy = await loadPolicy(options.policy, claim.address);
    const memory = createMemory(descriptorsFor(bounds, descriptorLimit), threads);
    const shared = new Shared(memory);
    const { address, file } = claim;
    const namespace = ownNamespace();
    const about = { address, file, namespace, startedAt: sys.monotonic() };
    auditFd = beginAudit(options.auditFile, shared);
    const common = {
      listenFd: claim.listenFd,
      ownsListener: options.listenFd === undefined || options.ownsFile === true,
      memory,
      bounds,
      about,
      auditFd,
      logLevel: options.logLevel ?? DEFAULT_LOG_LEVEL,
      ...ownUser(),
    };
    const pool = new Pool(sys, shared, common, policy, log, WORKER);
    await pool.start().catch((error: unknown) => pool.stop().then(() => Promise.reject(error)));
    warnIfClosed(policy, log);
    return new RunningServer(sys, options, log, claim, common, shared, pool);
  } catch (error) {
    await release(claim, log);
    sys.close(claim.listenFd);
    if (auditFd >= 0) sys.close(auditFd);
    throw error;
  }
}
