import { closeSync, fstatSync, openSync, readdirSync, statSync } from "node:fs";
import { Place } from "./place.ts";
import { Running } from "./running.ts";
import { eventually } from "./wait.ts";

const BECOME_ROOT = ["--user", "--map-root-user"]; // for users other than root

/* The inode number of a namespace, by its file under /proc, while its process exists. */
function numberOf(path: string): number | undefined {
  try {
    return statSync(path).ino;
  } catch {
    return undefined;
  }
}

/* While the namespace is open, its number is not given to another one. */
function openNamespace(path: string): ({ readonly number: number } & Disposable) | undefined {
  try {
    const fd = openSync(path, "r");
    return { number: fstatSync(fd).ino, [Symbol.dispose]: () => closeSync(fd) };
  } catch {
    return undefined; // the holder has ended already
  }
}

/* Kills all that is left in a namespace: daemons leave the process group that is killed with the holder. */
function killAllIn(number: number): Promise<boolean> {
  const isIn = (pid: string) => numberOf(`/proc/${pid}/ns/net`) === number;
  return eventually("the programs of a namespace to end", () => {
    const left = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && isIn(name));
    for (const pid of left) kill(Number(pid));
    return left.length === 0;
  });
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    /* ESRCH: it has ended by itself */
  }
}

/** A network namespace of its own with only `lo`, which is up. It ends with its scope, and all processes in it. */
export class Namespace extends Place implements AsyncDisposable {
  readonly #holder: Running;
  /** Its file under /proc, for setns(2) or a bind mount. */
  readonly path: string;

  constructor(holder: Running, user: boolean) {
    const ns = `/proc/${holder.pid}/ns`;
    const asUser = user ? [`--user=${ns}/user`, "--preserve-credentials"] : [];
    super(["nsenter", ...asUser, `--net=${ns}/net`, "--"], `/proc/${holder.pid}`);
    this.#holder = holder;
    this.path = `${ns}/net`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    using held = openNamespace(this.path);
    await this.#holder[Symbol.asyncDispose]();
    if (held) await killAllIn(held.number);
  }
}

/* The holder ends when its input ends, so also when the test run is killed. */
async function hold(user: boolean): Promise<Running> {
  const script = "ip link set lo up && echo ready && exec cat";
  const unshare = ["unshare", "--net", ...(user ? BECOME_ROOT : [])];
  const holder = new Running([...unshare, "sh", "-c", script], undefined, "pipe");
  try {
    await holder.says(/ready/);
    return holder;
  } catch (error) {
    await holder[Symbol.asyncDispose]();
    throw error;
  }
}

let needsUser: boolean | undefined; // set by the first call

/**
 * Makes a network namespace: alone as root, else in a user namespace.
 *
 * @throws {Error} if neither is possible: tests that need one must fail, not be skipped
 */
export async function createNamespace(): Promise<Namespace> {
  const failures: unknown[] = [];
  for (const user of needsUser === undefined ? [false, true] : [needsUser]) {
    try {
      const holder = await hold(user);
      needsUser = user;
      return new Namespace(holder, user);
    } catch (error) {
      failures.push(error);
    }
  }
  throw new AggregateError(
    failures,
    `no network namespace can be made here, neither as uid ${process.geteuid?.()} nor in a user namespace (is kernel.unprivileged_userns_clone 0, or user.max_user_namespaces, or kernel.apparmor_restrict_unprivileged_userns 1?): ${failures.join("; ")}`,
  );
}
