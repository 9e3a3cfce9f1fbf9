/*
 * A client in the machine: takes sockets from a server and prints the results.
 *
 *   client.ts take PATH [tcp|udp PORT]         prints the socket's namespace and the result of bind
 *   client.ts send PATH HOST [COMMAND]         prints the result of sending a datagram to HOST, after COMMAND
 *   client.ts listen PATH PORT                 prints the result of the SDK's listen()
 *   client.ts own -                            prints the client's own namespace
 *   client.ts load PATH SECONDS                takes sockets in a loop; prints how many, and how many others own
 */
import { fstatSync } from "node:fs";
import { listen, xsocketSync } from "@xsocket/client";
import { AF_INET } from "@xsocket/protocol";
import { checked, codeOf, loadSyscalls } from "@xsocket/xbind-native";
import { netnsCookie, ownNetnsCookie } from "../harness/cookie.ts";

const WAIT_MS = 30_000; // while systemd starts the server, on a busy machine

const native = loadSyscalls();
const [action = "", path = "", ...rest] = process.argv.slice(2);

function take(type: "stream" | "dgram") {
  return xsocketSync({ via: path, family: 4, type, timeoutMs: WAIT_MS });
}

function address(host: string, port: number): Uint8Array {
  const bytes = new Uint8Array(new ArrayBuffer(16));
  new DataView(bytes.buffer).setUint16(0, AF_INET, true);
  new DataView(bytes.buffer).setUint16(2, port);
  bytes.set(host.split(".").map(Number), 4);
  return bytes;
}

/** The errno's name of a failed call, or "ok". */
function outcome(call: () => unknown): string {
  try {
    call();
    return "ok";
  } catch (error) {
    return codeOf(error);
  }
}

function bind(kind: string, port: number): void {
  using socket = take(kind === "udp" ? "dgram" : "stream");
  console.log(String(netnsCookie(socket.fd)));
  const to = address("0.0.0.0", port);
  console.log(outcome(() => checked("bind", native.bind(socket.fd, to, to.byteLength))));
}

function send(host: string, command = "true"): void {
  using socket = take("dgram");
  Bun.spawnSync(["sh", "-c", command]);
  const to = address(host, 9);
  const bytes = new Uint8Array(new ArrayBuffer(1));
  console.log(
    outcome(() => {
      checked("connect", native.connect(socket.fd, to, to.byteLength));
      checked("send", native.sendPacket(socket.fd, bytes, 1, -1));
    }),
  );
}

function load(seconds: number): void {
  const uid = process.getuid?.();
  const until = performance.now() + seconds * 1000;
  let [count, foreign] = [0, 0];
  while (performance.now() < until) {
    using socket = take("stream");
    count++;
    if (fstatSync(socket.fd).uid !== uid) foreign++;
  }
  console.log(`${count} sockets, ${foreign} of them not ours`);
}

async function listening(port: number): Promise<void> {
  const listener = listen({ via: path, port, socket: { data() {} } });
  console.log(await listener.then(() => "ok", String));
}

const ACTIONS: Record<string, () => unknown> = {
  take: () => bind(rest[0] ?? "tcp", Number(rest[1] ?? 0)),
  send: () => send(rest[0] ?? "", rest[1]),
  listen: () => listening(Number(rest[0])),
  load: () => load(Number(rest[0])),
  own: () => console.log(String(ownNetnsCookie())),
};
const said = outcome(() => ACTIONS[action]?.());
if (said !== "ok") console.log(said);
