import type { ArgsDef } from "citty";
import { DEFAULT_ADDRESS } from "@xsocket/protocol";
import type { ServeOptions } from "@xsocket/server";
import { controlSocket } from "../address.ts";
import { boundArgs, givenBounds } from "../bounds.ts";
import { command } from "../command.ts";
import { MisuseError } from "../errors.ts";
import { wholeNumber } from "../numbers.ts";
import { words } from "../words.ts";

const args = {
  address: {
    type: "positional",
    default: DEFAULT_ADDRESS,
    valueHint: "PATH|@NAME",
    description: "The control socket",
  },
  mode: {
    type: "string",
    description: "Permission bits of the socket file, octal (default: 0660)",
    valueHint: "MODE",
  },
  group: {
    type: "string",
    description: "Group of the socket file, by name or number",
    valueHint: "GROUP",
  },
  "shared-directory": {
    type: "boolean",
    description: "Serve in a directory that others may write to as well, such as /tmp",
  },
  threads: {
    type: "string",
    description: "Serving threads",
    valueHint: "NUMBER",
  },
  ...boundArgs,
} as const satisfies ArgsDef;

/* The bits as chmod(1) takes them. */
function modeBits(text: string): number {
  if (/^0?[0-7]{3}$/.test(text)) return Number.parseInt(text, 8);
  throw new MisuseError(`"${text}" is no mode: give three octal digits, as in --mode 0660`);
}

export default command({
  meta: { name: "serve", description: "Hand out sockets of this network namespace" },
  args,
  async run({ args: given }) {
    const { address, mode, group, threads } = given;
    const { serve, untilSignal } = await import("@xsocket/server");
    const options: ServeOptions = {
      ...givenBounds(given),
      address: controlSocket(address),
      sharedDirectory: given["shared-directory"] === true,
      ...(mode === undefined ? {} : { mode: modeBits(mode) }),
      ...(group === undefined ? {} : { group }),
      ...(threads === undefined ? {} : { threads: wholeNumber("--threads", threads) }),
      log: ({ level, message }) => words[level === "warning" ? "warn" : "info"](message),
    };
    const server = await serve(options);
    words.info(`serving at ${server.address}`);
    await untilSignal(server, options.log);
  },
});
