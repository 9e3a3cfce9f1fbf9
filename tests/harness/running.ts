import { readdirSync, readFileSync } from "node:fs";
import { eventually } from "./wait.ts";

const GRACE_MS = 2000; // between SIGTERM and SIGKILL
const OUTPUT_MS = 5000; // to wait for the end of its output after its own end

/* Whether all threads of a process are stopped. */
function isStopped(pid: number): boolean {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).every((id) =>
    /\) T /.test(readFileSync(`${tasks}/${id}/stat`, "utf8")),
  );
}

/** A program that a test has started. Disposing of it ends it and its children. */
export class Running implements AsyncDisposable {
  readonly #process: Bun.Subprocess<"pipe" | "ignore", "pipe", "pipe">;
  readonly #pumps: Promise<unknown>;
  readonly #readers: { cancel(): Promise<void> }[] = [];
  /** Its standard output so far. */
  stdout = "";
  /** Its standard error so far. */
  stderr = "";

  constructor(argv: readonly string[], cwd: string | undefined, stdin: "pipe" | "ignore") {
    this.#process = Bun.spawn([...argv], {
      ...(cwd === undefined ? {} : { cwd }),
      stdin,
      stdout: "pipe",
      stderr: "pipe",
      detached: true, // a process group of its own, so that disposing reaches its children
    });
    this.#pumps = Promise.all([
      this.#pump(this.#process.stdout, (text) => (this.stdout += text)),
      this.#pump(this.#process.stderr, (text) => (this.stderr += text)),
    ]);
  }

  /** Its process id: nsenter and env replace themselves by the program. */
  get pid(): number {
    return this.#process.pid;
  }

  /** Its exit code, or 128 and the signal's number as in a shell. */
  get exited(): Promise<number> {
    return this.#process.exited;
  }

  /** Whether it has ended. */
  get hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** Writes to its standard input, if it was started with one. */
  async write(text: string): Promise<void> {
    const { stdin } = this.#process;
    if (typeof stdin !== "object") throw new Error("started without a pipe as standard input");
    await stdin.write(text);
    await stdin.flush();
  }

  /** Ends its standard input. */
  async endInput(): Promise<void> {
    const { stdin } = this.#process;
    if (typeof stdin !== "object") return;
    await Promise.resolve(stdin.end()).catch(() => {}); // the program may have ended without reading all
  }

  /** Sends a signal to the program alone. */
  kill(signal: NodeJS.Signals = "SIGTERM"): void {
    this.#process.kill(signal);
  }

  /** Stops it until SIGCONT and waits until all its threads have stopped. */
  async pause(): Promise<void> {
    this.kill("SIGSTOP");
    await eventually(`process ${this.pid} to stand still`, () => isStopped(this.pid));
  }

  /**
   * Waits until the output of one of its streams matches the pattern.
   *
   * @throws {Error} with the output if it ends or takes too long
   */
  async says(pattern: RegExp, withinMs?: number): Promise<RegExpExecArray> {
    const look = () => pattern.exec(this.stdout) ?? pattern.exec(this.stderr);
    const waited = () => look() !== null || this.hasEnded;
    await eventually(`${pattern} from a program`, waited, withinMs).catch(() => {});
    if (this.hasEnded) await this.#outputEnds();
    const found = look();
    if (found === null) throw new Error(`no ${pattern} in ${this.stdout}\n${this.stderr}`);
    return found;
  }

  /** Waits for its end and all of its output. */
  async finished(): Promise<number> {
    const code = await this.exited;
    await this.#outputEnds();
    return code;
  }

  /* Once in thousands of runs Bun misses the end of a stream, so the wait is limited. */
  async #outputEnds(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, OUTPUT_MS);
    await Promise.race([this.#pumps, promise]);
    clearTimeout(timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signalGroup("SIGTERM");
    const timer = setTimeout(() => this.#signalGroup("SIGKILL"), GRACE_MS);
    await this.exited;
    clearTimeout(timer);
    this.#signalGroup("SIGKILL"); // children that outlived it
    await this.endInput();
    for (const reader of this.#readers) void reader.cancel();
    await this.#outputEnds();
  }

  #signalGroup(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, signal);
    } catch {
      /* ESRCH: the group has ended */
    }
  }

  async #pump(stream: ReadableStream<Uint8Array>, add: (text: string) => void): Promise<void> {
    const reader = stream.getReader();
    this.#readers.push(reader);
    const decoder = new TextDecoder();
    for (let part = await reader.read(); !part.done; part = await reader.read())
      add(decoder.decode(part.value, { stream: true }));
  }
}
