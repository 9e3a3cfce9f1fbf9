import {
  DEFAULT_ADDRESS,
  formatAddress,
  isUrl,
  parseAddress,
  ProtocolError,
} from "@xsocket/protocol";
import { userPath } from "./directory.ts";
import { MisuseError } from "./errors.ts";

/**
 * Reads the address of a control socket as the user has given it.
 *
 * @returns an absolute path or `@name`, so that it means the same in any directory
 * @throws {MisuseError} if it does not fit a socket address, is empty or a URL, or is a path that {@link userPath}
 * refuses
 */
export function controlSocket(text: string): string {
  if (isUrl(text))
    throw new MisuseError(
      `${text} is not the address of a control socket: give a path, or @name, without "${text.slice(0, text.indexOf(":") + 1)}"`,
    );
  try {
    const { kind } = parseAddress(text);
    return kind === "abstract" ? text : formatAddress(parseAddress(userPath(text)));
  } catch (error) {
    if (error instanceof ProtocolError) throw new MisuseError(error.message, { cause: error });
    throw error;
  }
}

/* What comes before "/fd/" in the path of a descriptor of one's own. */
const OF_CALLER = /^\/(?:proc\/self|dev)(?=\/fd\/)/;

/**
 * The control socket of the server to ask: the one given, else $XSOCKET, as for programs under
 * libxbind, else the default.
 *
 * @param planFd not negative if the launcher waits for a plan: then it alone has the descriptors of its caller
 * @throws {MisuseError} as {@link controlSocket}
 */
export function serverSocket(given: string | undefined, planFd = -1): string {
  const path = controlSocket(given ?? (process.env["XSOCKET"] || DEFAULT_ADDRESS));
  return planFd < 0 ? path : path.replace(OF_CALLER, `/proc/${process.ppid}`);
}

/** How an argument that names the server describes its default. */
export const SERVER_DEFAULT = `default: $XSOCKET, or ${DEFAULT_ADDRESS}`;

/** The argument that names the server, for {@link serverSocket}. */
export const SERVER_ARGUMENT = {
  type: "positional",
  required: false,
  valueHint: "PATH|@NAME",
  description: `The control socket (${SERVER_DEFAULT})`,
} as const;
