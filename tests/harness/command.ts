import { SO_PEERPIDFD } from "@xsocket/xbind-native";
import { knowsOption } from "./unix.ts";

const isSeen = knowsOption(SO_PEERPIDFD);

/** The command name that a server logs for a client: none before Linux 6.5. */
export function seenCommand(name: string): string {
  return isSeen ? name : "?";
}
