import { loadSyscalls } from "@xsocket/xbind-native";
import { type Claim, claimPath } from "../src/control/claim.ts";

/** Listens at a path as a server does. Disposing of it closes the socket and removes its file. */
export function claimAt(path: string): Claim & AsyncDisposable {
  const sys = loadSyscalls();
  const claim = claimPath(sys, path, { mode: 0o600, backlog: 64 });
  return {
    ...claim,
    async [Symbol.asyncDispose]() {
      await claim.release();
      sys.close(claim.listenFd);
    },
  };
}
