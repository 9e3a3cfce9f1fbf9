import { type OwnedSocket, xsocketSync } from "@xsocket/client";
import { errnoName, loadSyscalls, POLLIN } from "@xsocket/xbind-native";
import { anyAddress, tryBindAny } from "../endpoint.ts";
import { askedRow, type Kind, rowOfError } from "./handover.ts";
import { failed, ok, type Row, skipped } from "./row.ts";

const WAIT_MS = 2000;
const PASS_MS = 500; // for a packet over the target's loopback interface
const TITLES = { stream: "TCP", dgram: "UDP" };
type Type = Kind["type"];
/** The rows about a port. */
export const PORT_NAMES = ["port-free", "port-privilege", "port-firewall"] as const;

function freshSocket(via: string, type: Type, family: 4 | 6 = 4): OwnedSocket {
  return xsocketSync({ via, type, family, nonblocking: true, timeoutMs: WAIT_MS });
}

/* Each combination that is refused, as "TCP over IPv4: EADDRINUSE". */
function refusals(via: string, kinds: readonly Kind[], port: number): string[] {
  return kinds.flatMap(({ type, family, title }) => {
    using socket = freshSocket(via, type, family);
    const rc = tryBindAny(socket.fd, { type, family }, port);
    return rc < 0 ? [`${errnoName(-rc)} for ${title}`] : [];
  });
}

/* Sends something to the port within the target namespace. Answers whether it arrives. */
function passes(via: string, type: Type, port: number): boolean {
  const native = loadSyscalls();
  using listener = freshSocket(via, type);
  using sender = freshSocket(via, type);
  if (tryBindAny(listener.fd, { type, family: 4 }, port) < 0) return true; // reported by another row
  const to = anyAddress(4, port); // for connect(2) that is 127.0.0.1
  native.connect(sender.fd, to, to.byteLength);
  if (type === "dgram") native.sendPacket(sender.fd, new Uint8Array(new ArrayBuffer(1)), 1, -1);
  return native.poll(listener.fd, POLLIN, PASS_MS) > 0;
}

function firewallRow(via: string, kinds: readonly Kind[], port: number): Row {
  const types = kinds.filter(({ family }) => family === 4).map(({ type }) => type);
  if (types.length === 0) return skipped("port-firewall", "needs an IPv4 socket of the server");
  const blocked = types.filter((type) => !passes(via, type, port)).map((type) => TITLES[type]);
  if (blocked.length === 0)
    return ok(
      "port-firewall",
      `no rule keeps port ${port} from being reached within that namespace`,
    );
  return failed(
    "port-firewall",
    `${blocked.join(" and ")} to port ${port} ${blocked.length === 1 ? "is" : "are"} dropped within the target namespace, even over its loopback interface`,
    "allow the port in the firewall of the target namespace (nft list ruleset there), and localhost where the server's unit has IPAddressDeny=, and check that lo is up there",
  );
}

function freeRow(port: number, taken: readonly string[]): Row {
  if (taken.length === 0) return ok("port-free", `port ${port} is free in the target namespace`);
  const other = port === 8080 ? 8081 : 8080;
  return failed(
    "port-free",
    `port ${port} cannot be bound in the target namespace: ${taken.join(", ")}`,
    `stop the program that uses it there (ss -lntup), unless that is the right one, or publish another: --port ${other}:${port}`,
  );
}

function privilegeRow(port: number, denied: readonly string[]): Row {
  const user = `uid ${process.geteuid?.()}`;
  if (denied.length === 0) return ok("port-privilege", `${user} may bind port ${port}`);
  return failed(
    "port-privilege",
    `${user} may not bind port ${port}: ${denied.join(", ")}`,
    denied.some((text) => text.startsWith("EPERM"))
      ? "use a port that SocketBindAllow= of the server's unit names"
      : `publish it at a port from 1024 on (--port 8080:${port}), or give the program CAP_NET_BIND_SERVICE over the target namespace`,
  );
}

/**
 * Is the port free in the target namespace, may this user bind it, and does anything block it?
 *
 * @param given the kinds of socket that the server hands out; only these are tried
 */
export function portRows(
  via: string,
  port: number,
  types: readonly Type[],
  given: readonly Kind[],
): Row[] {
  const kinds = given.filter(({ type }) => types.includes(type));
  if (kinds.length === 0)
    return PORT_NAMES.map((name) => skipped(name, "needs a socket of the server"));
  let found: string[];
  try {
    found = refusals(via, kinds, port);
  } catch (error) {
    return [rowOfError("port-free", error)];
  }
  const denied = found.filter((text) => /^(EACCES|EPERM) /.test(text));
  const taken = found.filter((text) => !denied.includes(text));
  const firewall =
    found.length > 0
      ? skipped("port-firewall", "needs a port that can be bound")
      : askedRow("port-firewall", () => firewallRow(via, kinds, port));
  return [freeRow(port, taken), privilegeRow(port, denied), firewall];
}
