import { loadSyscalls } from "@xsocket/xbind-native";
import { type Claim, claimPath } from "../src/control/claim.ts";

/** Listens at a path as a server does. Disposing of it closes the socket and removes its file. */
export function claimAt(path: string): Claim & AsyncDisposable {
  const sys = loadSyscalls();
  const options = { mode: 0o600, gid: undefined, backlog: 64, refuseDescriptors: false };
  const claim = claimPath(sys, path, options);
  return {
    ...claim,
    async [Symbol.asyncDispose]() {
      await claim.release();
      sys.close(claim.listenFd);
    },
  };
}
