/* Apart from address.ts, since `serve` needs that and starts sooner without the client library. */
import { XSocketError } from "@xsocket/client";
import { errnoName } from "@xsocket/xbind-native";

/**
 * What connect(2) has said about a control socket, in the words of the client library.
 *
 * @param rc    the -errno
 * @param asked what the server was needed for, to be read after "cannot"
 */
export function unreached(path: string, rc: number, asked: string): XSocketError {
  return new XSocketError({ code: errnoName(-rc), step: "reach", server: path, asked });
}
