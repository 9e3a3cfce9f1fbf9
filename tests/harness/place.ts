import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Running } from "./running.ts";

const RUN_MS = 50_000; // the default limit for one program
/** The state of a listening socket in /proc/net/tcp. */
export const TCP_LISTEN = "0A";
const UNIX_LISTENS = 0x10000; // __SO_ACCEPTCON

/** The rows of a table in /proc/net of the namespace that a process is in. */
export function netTable(proc: string, name: string): string[][] {
  const lines = readFileSync(join(proc, "net", name), "utf8")
    .trim()
    .split("\n")
    .slice(1);
  return lines.map((line) => line.trim().split(/\s+/));
}

/** Whether these are the flags of a listening socket in /proc/net/unix. */
export function isListening(flags: string | undefined): boolean {
  return (Number(`0x${flags}`) & UNIX_LISTENS) !== 0;
}

/** Options for starting a program. */
export interface RunOptions {
  /** Added to the environment of the program; undefined removes a name. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** For `run` the input; for `spawn` any text, to get a pipe that can be written to. */
  readonly stdin?: string;
  /** For `run`: the longest time in milliseconds. */
  readonly withinMs?: number;
}

/** The exit code and the output of a program. */
export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A network namespace that programs can be run in. */
export class Place {
  readonly #enter: readonly string[];
  readonly #proc: string;
  #cookie: bigint | undefined;

  /**
   * @param enter a command that runs the command after it in this namespace
   * @param proc  the directory under /proc of a process in this namespace
   */
  constructor(enter: readonly string[], proc: string) {
    this.#enter = enter;
    this.#proc = proc;
  }

  /** Starts a program here. */
  spawn(argv: readonly string[], options: RunOptions = {}): Running {
    const stdin = options.stdin === undefined ? "ignore" : "pipe";
    const changes = envArguments(options.env ?? {});
    const env = changes.length > 0 ? ["env", ...changes] : [];
    return new Running([...this.#enter, ...env, ...argv], options.cwd, stdin);
  }

  /**
   * Runs a program here to its end.
   *
   * @throws {Error} if it takes longer than `withinMs`
   */
  async run(argv: readonly string[], options: RunOptions = {}): Promise<Result> {
    await using program = this.spawn(argv, options);
    // a program may end without reading its input
    if (options.stdin !== undefined) await program.write(options.stdin).catch(() => {});
    await program.endInput();
    const { promise: late, reject } = Promise.withResolvers<never>();
    const withinMs = options.withinMs ?? RUN_MS;
    const tooLate = () =>
      reject(new Error(`${argv.join(" ")}: still running after ${withinMs} ms`));
    const timer = setTimeout(tooLate, withinMs);
    try {
      const code = await Promise.race([program.finished(), late]);
      return { code, stdout: program.stdout, stderr: program.stderr };
    } finally {
      clearTimeout(timer);
    }
  }

  /** Fetches a page from within this namespace. */
  async fetchText(url: string): Promise<string> {
    const script = "process.stdout.write(await (await fetch(process.argv[1])).text())";
    const { code, stdout, stderr } = await this.run([process.execPath, "-e", script, url]);
    if (code !== 0) throw new Error(`cannot fetch ${url}: ${stderr}`);
    return stdout;
  }

  /** Whether some socket here listens on (TCP) or is bound to (UDP) the port, of either family. */
  listens(kind: "tcp" | "udp", port: number): boolean {
    const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
    return [kind, `${kind}6`]
      .flatMap((table) => netTable(this.#proc, table))
      .some(
        ([, local, , state]) => local?.endsWith(suffix) && (kind === "udp" || state === TCP_LISTEN),
      );
  }

  /** Whether a UNIX socket here listens at a path or `@name`. */
  listensAt(address: string): boolean {
    return netTable(this.#proc, "unix").some(
      ([, , , flags, , , , path]) => path === address && isListening(flags),
    );
  }

  /** The namespace's SO_NETNS_COOKIE, to compare with `netnsCookie(fd)`. */
  async cookie(): Promise<bigint> {
    this.#cookie ??= await this.#readCookie();
    return this.#cookie;
  }

  async #readCookie(): Promise<bigint> {
    const script = join(import.meta.dir, "print-cookie.ts");
    const { code, stdout, stderr } = await this.run([process.execPath, script]);
    if (code !== 0) throw new Error(`cannot read the namespace's cookie: ${stderr}`);
    return BigInt(stdout);
  }
}

/* Arguments of env(1): first names to remove, then assignments. */
function envArguments(env: Readonly<Record<string, string | undefined>>): string[] {
  const entries = Object.entries(env);
  const removed = entries
    .filter(([, value]) => value === undefined)
    .flatMap(([name]) => ["-u", name]);
  const set = entries
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${value}`);
  return [...removed, ...set];
}

/** The namespace that the tests themselves run in. */
export const here = new Place([], "/proc/self");
