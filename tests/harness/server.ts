import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { shellWord } from "@xsocket/protocol";
import { ROOT } from "./root.ts";
import { socketsOf } from "./descriptors.ts";
import { createNamespace } from "./namespace.ts";
import { here, type Place, type RunOptions } from "./place.ts";
import type { Running } from "./running.ts";
import { tempDir } from "./temp.ts";
import { xsocketForEveryone } from "./user.ts";
import { eventually } from "./wait.ts";

/** The command. */
export const XSOCKET = join(ROOT, "packages/cli/bin/xsocket");
/** The command as `bun x` and npm's directories have it. */
export const START = join(ROOT, "packages/cli/bin/start.bin");

/** Quotes words for a shell. */
export const typed = (...argv: readonly string[]): string => argv.map(shellWord).join(" ");

const STOP_MS = 30_000; // on a busy machine

/** Options for starting a server. */
export interface ServerOptions {
  /** The namespace whose sockets it hands out: the tests' own by default, or one of its own. */
  readonly place?: Place | "own";
  /** Its control socket, a path or `@name`; a path of its own by default. */
  readonly path?: string;
  /** The text of its policy. */
  readonly policy?: string;
  /** A command that starts it, such as prlimit(1) with its options. */
  readonly before?: readonly string[];
  /** Whether it runs from a place that every user may read, which needs root. */
  readonly forEveryone?: boolean;
  /** Further arguments for `xsocket serve`. */
  readonly args?: readonly string[];
  readonly env?: RunOptions["env"];
}

/** A server that is ready. Disposing of it stops it. */
export interface ServerHandle extends AsyncDisposable {
  readonly path: string;
  readonly program: Running;
  /** The number of sockets that it has open: the one it listens on, connections, those being handed over. */
  sockets(): number;
  /** Stops it by SIGTERM and returns its exit code. */
  stop(): Promise<number>;
}

/* Listens at a path and becomes a program that gets the socket as by socket activation. */
const ACTIVATE = `
import os, socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind(sys.argv[1])
listener.listen()
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execvp(sys.argv[2], sys.argv[2:])`;

/** The command that runs `argv` with a socket that listens at `path`, as by socket activation. */
export function activated(path: string, argv: readonly string[]): string[] {
  return ["python3", "-c", ACTIVATE, path, ...argv];
}

/**
 * Starts a server and waits until it serves: its threads start a little after it listens, and on a busy
 * machine a client would not wait as long for its first answer.
 *
 * @throws {Error} with its output if it ends instead
 */
export async function startServer(options: ServerOptions = {}): Promise<ServerHandle> {
  await using stack = new AsyncDisposableStack();
  const { place: where = here, policy, before = [], env = {} } = options;
  const place = where === "own" ? stack.use(await createNamespace()) : where;
  const dir = stack.use(tempDir());
  const path = options.path ?? dir.join("control");
  const words = ["serve", path, ...(options.args ?? [])];
  if (policy !== undefined) {
    writeFileSync(dir.join("policy"), policy);
    words.push("--policy", dir.join("policy"));
  }
  const argv = options.forEveryone
    ? xsocketForEveryone(dir, words, before)
    : [...before, XSOCKET, ...words];
  const program = stack.use(place.spawn(argv, { env }));
  const isServing = () => program.stderr.includes("serving at ");
  await eventually(`a server at ${path}`, () => program.hasEnded || isServing());
  if (program.hasEnded) throw new Error(`the server ended at once: ${await said(program)}`);
  stack.defer(() => expectCleanEnd(program));
  const owned = stack.move();
  return {
    path,
    program,
    sockets: () => socketsOf(program.pid),
    stop: () => {
      program.kill("SIGTERM");
      return program.finished();
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/* Each test checks that its server ends by itself with exit code 0. */
async function expectCleanEnd(program: Running): Promise<void> {
  if (program.hasEnded) return; // the test itself has ended it
  program.kill("SIGTERM");
  const code = await Promise.race([program.finished(), Bun.sleep(STOP_MS)]);
  if (code === undefined) throw new Error(`the server did not stop within ${STOP_MS} ms`);
  if (code !== 0) throw new Error(`the server stopped badly: ${await said(program)}`);
}

async function said(program: Running): Promise<string> {
  const code = await program.finished();
  return `exit ${code}, ${program.stdout}${program.stderr}`;
}

/** Runs a server that is expected to end by itself. */
export function tryServing(...args: string[]) {
  return here.run([XSOCKET, "serve", ...args]);
}
