import { here } from "./place.ts";
import type { Running } from "./running.ts";
import { asOrdinaryUser, ORDINARY_ENV } from "./user.ts";

const LISTEN = `
import socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind("\\0" + sys.argv[1][1:])
listener.listen()
print("listening", flush=True)
sys.stdin.read()`;

/** Starts a program of an ordinary user that listens at an abstract name and never answers. Needs root. */
export async function strangerAt(name: string, place = here): Promise<Running> {
  const argv = asOrdinaryUser(["python3", "-c", LISTEN, name]);
  const stranger = place.spawn(argv, { env: ORDINARY_ENV, stdin: "" });
  await stranger.says(/listening/);
  return stranger;
}
