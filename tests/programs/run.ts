import { libraryPath, reasonOf } from "@xsocket/xbind-native";
import { createNamespace, type Namespace, startServer, tempDir } from "../harness/index.ts";
import { expectClosed, expectImpossible, expectWorking, portsOf, type Started } from "./checks.ts";
import type { Program } from "./program.ts";
import { unpack, UNPACKED } from "./unpack.ts";
import { Workplace } from "./workplace.ts";

const EVERYONE = "0666"; // the control socket's mode for programs that are not root, or not for long
const OUTPUT_CHARS = 2000; // of a program that failed, in the error

/** The target namespace's own addresses (of the documentation ranges), found nowhere else. */
const OUTSIDE = { ip: "192.0.2.7", all: ["192.0.2.7/24", "2001:db8::7/64"] } as const;
const LOOPBACK = "127.0.0.1";

/** One start of a program. */
interface Attempt extends Omit<Started, "work" | "running"> {
  readonly env: Record<string, string>;
  readonly check: (started: Started) => Promise<void>;
}

/* Starts the program and checks it; what it wrote goes into the error if anything is amiss. */
async function attemptOnce({ env, check, ...where }: Attempt): Promise<void> {
  const { program, inside, host } = where;
  using work = new Workplace(program, host);
  await work.prepare(inside);
  const options = { cwd: work.cwd, env: work.env(env) };
  await using running = inside.spawn(work.argv(program.run), options);
  await check({ ...where, work, running }).catch((error: unknown) => {
    const output = (running.stdout + running.stderr).slice(-OUTPUT_CHARS);
    throw new Error(`${reasonOf(error)}; its output: ${output}`, { cause: error });
  });
}

/* The control: without the library it is reachable in its own namespace and not from outside. */
async function withoutLibrary(program: Program, outside: Namespace): Promise<void> {
  await using inside = await createNamespace();
  const where = { program, inside, from: inside, host: LOOPBACK };
  const check = async (started: Started) => {
    await expectWorking(started);
    expectClosed(program, outside, "is open outside");
  };
  await attemptOnce({ ...where, env: {}, check });
}

/* With the library it is reachable from the target namespace, and its port is closed inside. */
async function withLibrary(program: Program, outside: Namespace): Promise<void> {
  using dir = tempDir();
  const path = dir.join("control");
  const args = program.dropsRoot || program.unprivileged ? ["--mode", EVERYONE] : [];
  await using server = await startServer({ place: outside, path, args });
  const XBIND = [...portsOf(program), ...(program.ports ? [program.ports] : [])].join(" ");
  const env = { LD_PRELOAD: libraryPath("xbind"), XBIND, XSOCKET: server.path };
  await using inside = await createNamespace();
  const check = program.cannot === undefined ? expectWorking : expectImpossible;
  await attemptOnce({ program, inside, from: outside, host: OUTSIDE.ip, env, check });
}

async function createOutside(): Promise<Namespace> {
  const outside = await createNamespace();
  for (const address of OUTSIDE.all)
    await outside.run(["ip", "address", "add", address, "dev", "lo", "nodad"]);
  return outside;
}

/**
 * Runs one program of the matrix, with and without the library.
 *
 * @throws {Error} what did not hold
 */
export async function runProgram(program: Program): Promise<void> {
  unpack(program.unpacked);
  await using outside = await createOutside();
  await withoutLibrary(program, outside).catch((error: unknown) => {
    throw new Error(`without the library: ${reasonOf(error)}`, { cause: error });
  });
  await withLibrary(program, outside);
}

/** Asks Debian, or the program itself, which version has been run. */
export async function versionOf(program: Program): Promise<string> {
  unpack(program.unpacked);
  using work = new Workplace({ ...program, files: {} }, LOOPBACK);
  await using place = await createNamespace();
  const [name] = program.packages;
  const ask = program.unpacked
    ? `cat ${UNPACKED}/${program.unpacked[0]}/VERSION`
    : (program.version ?? `dpkg-query -W -f '\${Version}' ${name}`);
  const { stdout } = await place.run(["sh", "-c", ask], { env: work.env(), cwd: work.cwd });
  return stdout.trim();
}
