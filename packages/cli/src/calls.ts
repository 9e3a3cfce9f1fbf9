import { loadSyscalls, type Syscalls } from "@xsocket/xbind-native";

/**
 * The calls of libxsocket.so, undefined where they cannot be made. For what is only looked at beforehand:
 * under a limit of memory Bun gets none for compiled code, and `run` becomes the program all the same.
 */
export function callsIfAny(): Syscalls | undefined {
  try {
    return loadSyscalls();
  } catch {
    return undefined;
  }
}
