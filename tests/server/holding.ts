import { asOrdinaryUser, here, ORDINARY_ENV, type Running } from "../harness/index.ts";
import { REQUEST } from "./raw.ts";

/* Holds connections until its input ends, after one request on each if given; prints the last reply. */
const HOLD = `import socket, sys
path, count, flags, *requests = sys.argv[1:]
held = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(int(count))]
for one in held: one.connect(path)
for one in held:
    for request in requests:
        one.send(bytes.fromhex(request))
        reply = one.recv(8, int(flags))
print("held", *(reply.hex() for _ in requests), flush=True)
sys.stdin.read()`;
const MSG_PEEK = 2;

/** A program of a user that holds connections: without a request, idle, or with an unread reply. */
export async function holding(
  path: string,
  uid: number,
  count: number,
  how: "silent" | "idle" | "unread",
): Promise<Running> {
  const flags = how === "unread" ? MSG_PEEK : 0;
  const requests = how === "silent" ? [] : [REQUEST.toHex()];
  const argv = ["python3", "-c", HOLD, path, String(count), String(flags), ...requests];
  const program = here.spawn(asOrdinaryUser(argv, uid), { env: ORDINARY_ENV, stdin: "" });
  await program.says(/held.*\n/);
  return program;
}
