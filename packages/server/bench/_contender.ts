/* The servers that are compared, each a process of its own, and what /proc tells of them. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { AF_INET, SOCK_STREAM } from "@xsocket/protocol";
import { libraryPath, loadSyscalls } from "@xsocket/xbind-native";

/** The native programs of packages/xbind-native/bench. */
export const PROGRAMS = join(dirname(libraryPath("xsocket")), "bench");
/* The command as it is installed: scripts/bench.sh puts it there. */
const COMMAND = join(import.meta.dir, "../../../build/bench/installed/bin/xsocket");
const TICKS_PER_SECOND = 100; // USER_HZ is 100 on every Linux that Bun runs on
const READY_WAIT_MS = 5000;

/** One server under test. */
export class Contender implements AsyncDisposable {
  readonly name: string;
  readonly path: string;
  /** Milliseconds from before exec until a client had its first socket. */
  readonly readyMs: number;
  readonly #process: Bun.Subprocess;

  private constructor(name: string, path: string, readyMs: number, process: Bun.Subprocess) {
    this.name = name;
    this.path = path;
    this.readyMs = readyMs;
    this.#process = process;
  }

  /** Starts a server and waits until it has handed out a socket. */
  static async start(name: string, path: string, argv: readonly string[]): Promise<Contender> {
    const native = loadSyscalls();
    const begun = native.monotonic();
    const process = Bun.spawn([...argv], {
      env: { ...Bun.env, XSOCKET_LIBDIR: dirname(PROGRAMS) },
      stdin: "ignore",
      stdout: "ignore",
    });
    for (;;) {
      const socket = native.handover(path, AF_INET, SOCK_STREAM, 0, READY_WAIT_MS);
      const elapsed = native.monotonic() - begun;
      if (socket >= 0) {
        native.close(socket);
        return new Contender(name, path, elapsed, process);
      }
      if (elapsed > READY_WAIT_MS || process.exitCode !== null)
        throw new Error(`${name} does not come up: ${argv.join(" ")}`);
      await Bun.sleep(1);
    }
  }

  static ours(name: string, path: string, threads: number): Promise<Contender> {
    const words = ["--threads", `${threads}`, "--log-level", "warning"];
    return Contender.start(name, path, [COMMAND, "serve", path, ...words]);
  }

  static native(name: string, path: string, ...words: readonly string[]): Promise<Contender> {
    return Contender.start(name, path, [join(PROGRAMS, "bench_serve"), path, ...words]);
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** CPU time so far in seconds, with that of children which have ended. */
  cpuSeconds(): number {
    const text = readFileSync(`/proc/${this.pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return ticks / TICKS_PER_SECOND;
  }

  /** Keeps all its threads on the first processor from now on. */
  pin(): void {
    const argv = ["taskset", "--all-tasks", "--pid", "--cpu-list", "0", String(this.pid)];
    const { success, stderr } = Bun.spawnSync(argv);
    if (!success) throw new Error(`${argv.join(" ")} failed: ${stderr.toString()}`);
  }

  /** Resident memory in MB. */
  residentMb(): number {
    const text = readFileSync(`/proc/${this.pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+)/.exec(text)?.[1]) / 1024;
  }

  /** How often each thread has gone to sleep and been woken, by its name and number. */
  wakeUps(): Map<string, number> {
    const tasks = `/proc/${this.pid}/task`;
    return new Map(
      readdirSync(tasks).map((id) => {
        const text = readFileSync(`${tasks}/${id}/status`, "utf8");
        const name = /Name:\s+(.*)/.exec(text)?.[1] ?? "";
        return [`${name}/${id}`, Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(text)?.[1])];
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGTERM");
    await this.#process.exited;
  }
}
