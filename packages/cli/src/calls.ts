import { loadSyscalls, type Syscalls } from "@xsocket/xbind-native";

/**
 * The calls of libxsocket.so for what is only looked at beforehand, undefined where Bun cannot make
 * them: under a limit of memory it gets none for compiled code, and `run` becomes the program all the same.
 */
export function callsIfAny(): Syscalls | undefined {
  try {
    return loadSyscalls();
  } catch {
    return undefined;
  }
}
