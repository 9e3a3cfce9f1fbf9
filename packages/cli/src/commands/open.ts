import { xsocketSync } from "@xsocket/client";
import type { ArgsDef } from "citty";
import { SERVER_ARGUMENT, serverSocket } from "../address.ts";
import { failedAt, tryBindAny } from "../endpoint.ts";
import { command, flag, option } from "../command.ts";
import { MisuseError } from "../errors.ts";
import { cookieOf, namespaceOf, ownCookie, ownNamespace } from "../namespace.ts";
import { wholeNumber } from "../numbers.ts";
import { sendPlan } from "../plan.ts";
import { PORT_MAX } from "../ports.ts";
import { findProgram } from "../program.ts";
import { table } from "../table.ts";
import { result } from "../words.ts";

const args = {
  address: SERVER_ARGUMENT,
  family: { type: "enum", options: ["4", "6"], description: "IP version (default: 4)" },
  type: {
    type: "enum",
    options: ["stream", "dgram"],
    description: "Type of the socket (default: stream)",
  },
  port: option(
    "PORT",
    "Bind it to this port on all addresses there, and listen if it is a stream socket",
  ),
  exec: flag(
    "The program after it, or after --, gets the socket as descriptor 3, as from a socket unit of systemd (LISTEN_FDS)",
  ),
  json: flag("Print JSON"),
} as const satisfies ArgsDef;

function cookies(cookie: bigint | undefined, own: bigint | undefined): string {
  if (cookie === undefined) return "not told (takes Linux 5.14)";
  if (own === undefined) return String(cookie);
  return `${cookie}${cookie === own ? ", that of this namespace itself" : `; this namespace has ${own}`}`;
}

function untold(): string {
  if (ownNamespace() === undefined) return "not told (this kernel has no network namespaces)";
  return "not told to this user (takes CAP_NET_ADMIN there)";
}

function report(fd: number, own: bigint | undefined, milliseconds: number, json: boolean): string {
  const [cookie, namespace] = [cookieOf(fd), namespaceOf(fd)];
  if (json)
    return JSON.stringify(
      { namespace, cookie, ownCookie: own, milliseconds },
      (_, value: unknown) => (typeof value === "bigint" ? Number(value) : value),
    );
  return table([
    ["namespace", namespace ?? untold()],
    ["cookie", cookies(cookie, own)],
    ["time", `${milliseconds.toFixed(3)} ms`],
  ]);
}

export default command({
  meta: {
    description: "Get one socket: show it, or pass it to a program",
  },
  args,
  program: "[--exec PROGRAM [ARGUMENT...]]",
  separators: ["--", "--exec"],
  execute({ address, family, type, port, exec, json }, { program, programIndex, planFd }) {
    const [name] = program;
    if (exec && name === undefined)
      throw new MisuseError(
        'no program is given: put it last, as in "xsocket open --exec PROGRAM"',
      );
    if (json && name !== undefined)
      throw new MisuseError("nothing is shown where a program gets the socket: leave --json out");
    const number =
      port === undefined ? undefined : wholeNumber("--port", port, { least: 0, most: PORT_MAX });
    if (name !== undefined) findProgram(name);
    const kind = { family: family === "6" ? 6 : 4, type: type ?? "stream" } as const;
    const server = serverSocket(address, planFd);
    const own = ownCookie(); // also loads the library, before the server's time is measured
    const start = performance.now();
    using socket = xsocketSync({ ...kind, via: server });
    const milliseconds = performance.now() - start;
    const rc = number === undefined ? 0 : tryBindAny(socket.fd, kind, number);
    if (rc < 0) throw failedAt("bind", server, rc, `bind port ${number} in the target namespace`);
    if (name === undefined) return result(report(socket.fd, own, milliseconds, json));
    const set = { LISTEN_FDS: "1", LISTEN_FDNAMES: "xsocket" };
    sendPlan(planFd, { programIndex, set, socketFd: socket.fd });
  },
});
