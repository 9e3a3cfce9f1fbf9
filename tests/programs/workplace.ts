import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { asOrdinaryUser, type Namespace, ORDINARY_UID, tempDir } from "../harness/index.ts";
import type { Program } from "./program.ts";
import { UNPACKED } from "./unpack.ts";

const PREPARE_MS = 120_000; // compilers and databases beside other builds
const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const SOURCES = join(import.meta.dir, "sources");

/** A fresh directory, with what the program finds there and how it and its clients are run in it. */
export class Workplace implements Disposable {
  readonly #dir = tempDir();
  readonly #program: Program;
  readonly #host: string;

  /** @param host the address that clients will come to */
  constructor(program: Program, host: string) {
    this.#program = program;
    this.#host = host;
    this.write(program.files);
  }

  write(files: Program["files"] = {}): void {
    const values = this.env();
    for (const [name, text] of Object.entries(files))
      writeFileSync(
        this.#dir.join(name),
        text.replaceAll(/@([A-Z]+)@/g, (word, variable) => values[variable] ?? word),
      );
  }

  /** What every command of the table finds in its environment. */
  env(more: Record<string, string | undefined> = {}): Record<string, string | undefined> {
    const { path } = this.#dir;
    const { port } = this.#program;
    const own = { DIR: path, HOME: path, HOST: this.#host, PORT: String(port), SOURCES, UNPACKED };
    return { ...own, BUN: process.execPath, PATH: SYSTEM_PATH, LC_ALL: "C.UTF-8", ...more };
  }

  /** The command line for one command of the table. */
  argv(command: string): string[] {
    const argv = ["sh", "-c", command];
    return this.#program.unprivileged ? asOrdinaryUser(argv) : argv;
  }

  get cwd(): string {
    return this.#dir.path;
  }

  read(name: string): string {
    try {
      return readFileSync(this.#dir.join(name), "utf8");
    } catch {
      return ""; // not written yet
    }
  }

  async prepare(place: Namespace): Promise<void> {
    const { prepare, unprivileged } = this.#program;
    if (unprivileged) await place.run(["chown", "-R", `${ORDINARY_UID}`, this.#dir.path]);
    if (prepare === undefined) return;
    const options = { cwd: this.cwd, env: this.env(), withinMs: PREPARE_MS };
    const { code, stdout, stderr } = await place.run(this.argv(prepare), options);
    if (code !== 0) throw new Error(`its preparation failed: ${stdout}${stderr}`);
  }

  [Symbol.dispose](): void {
    this.#dir[Symbol.dispose]();
  }
}
