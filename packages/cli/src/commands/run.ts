import { existsSync } from "node:fs";
import type { ArgsDef } from "citty";
import { DEFAULT_ADDRESS } from "@xsocket/protocol";
import { controlSocket } from "../address.ts";
import { command, invocation } from "../command.ts";
import { MisuseError } from "../errors.ts";
import { repeated } from "../options.ts";
import { sendPlan } from "../plan.ts";
import { portWords } from "../ports.ts";
import { preloadWith } from "../preload.ts";
import { words } from "../words.ts";

const args = {
  port: {
    type: "string",
    description: "Port to open in the target namespace, as XBIND takes it; may be repeated",
    valueHint: "PORT",
  },
  socket: {
    type: "string",
    description: "Control socket of the server: a path, or @name",
    valueHint: "PATH",
  },
} as const satisfies ArgsDef;

/* A program may well be started before its server, so this is a word and no failure. */
function warnIfMissing(path: string): void {
  if (!path.startsWith("@") && !existsSync(path))
    words.warn(
      `there is no control socket ${path}, and until there is one no listed port can be opened: start a server with "xsocket serve ${path}" in the target namespace`,
    );
}

export default command({
  meta: { name: "run", description: "Run a program whose listed ports open in another namespace" },
  args,
  program: "required",
  run(context) {
    const { programIndex, planFd } = invocation(context);
    const ports = repeated(context.rawArgs, args, "port");
    if (ports.length === 0)
      throw new MisuseError("no port is given: say which one to open there, as in --port 3000");
    const socket =
      context.args.socket === undefined ? undefined : controlSocket(context.args.socket);
    const set = {
      XBIND: portWords(ports).join(" "),
      LD_PRELOAD: preloadWith(process.env["XSOCKET_RUN_PRELOAD"] ?? ""),
      ...(socket === undefined ? {} : { XSOCKET: socket }),
    };
    warnIfMissing(socket ?? (process.env["XSOCKET"] || DEFAULT_ADDRESS));
    sendPlan(planFd, { programIndex, set });
  },
});
