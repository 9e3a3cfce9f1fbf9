/* Not in address.ts, which `serve` needs too: that starts sooner without the client library. */
import { XSocketError } from "@xsocket/client";
import { errnoName } from "@xsocket/xbind-native";

/**
 * The client library's error for what connect(2) gave for a control socket.
 *
 * @param rc    the -errno
 * @param asked what the server was needed for, to be read after "cannot"
 */
export function unreached(path: string, rc: number, asked: string): XSocketError {
  return new XSocketError({ code: errnoName(-rc), step: "reach", server: path, asked });
}
