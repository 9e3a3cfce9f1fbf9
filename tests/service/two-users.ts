import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  eventually,
  ORDINARY_ENV,
  type Place,
  type TempDir,
  xsocketForEveryone,
} from "../harness/index.ts";

const BIND = join(import.meta.dir, "bind.py");
export const ALICE = 4201;
export const BOB = 4202;
const PORT = 3000;

/** Starts a server in a namespace and waits until it listens. */
export async function start(
  place: Place,
  dir: TempDir,
  options: {
    readonly address?: string;
    readonly args: readonly string[];
    readonly before?: readonly string[];
  },
) {
  const address = options.address ?? dir.join("control");
  const argv = xsocketForEveryone(dir, ["serve", address, ...options.args], options.before);
  const program = place.spawn(argv);
  await eventually("the server to serve", () => program.stderr.includes("serving at"));
  return { address, program };
}

/** A prefix for a command that runs it as this user. */
export function as(uid: number): string[] {
  return ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "--"];
}

/** Runs bind.py in a namespace as this user. */
export function binder(place: Place, uid: number, address: string) {
  const script = readFileSync(BIND, "utf8"); // the file itself may lie where only root may read
  const argv = [...as(uid), "python3", "-c", script, address, String(PORT)];
  return place.spawn(argv, { env: ORDINARY_ENV, stdin: "" });
}

/** The results of two users who bind sockets to one port with SO_REUSEPORT. */
export async function stealing(place: Place, address: string): Promise<string[]> {
  await using alice = binder(place, ALICE, address);
  const [first] = await alice.says(/\w+/);
  await using bob = binder(place, BOB, address);
  const [second] = await bob.says(/\w+/);
  return [first, second];
}
