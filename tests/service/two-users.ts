import { readFileSync } from "node:fs";
import { join } from "node:path";
import { asOrdinaryUser, ORDINARY_ENV, type Place } from "../harness/index.ts";

const BIND = join(import.meta.dir, "bind.py");
export const ALICE = 4201;
export const BOB = 4202;
const PORT = 3000;

/** Runs bind.py in a namespace as this user. */
export function binder(place: Place, uid: number, address: string) {
  const script = readFileSync(BIND, "utf8"); // the file itself may lie where only root may read
  const argv = asOrdinaryUser(["python3", "-c", script, address, String(PORT)], uid);
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
