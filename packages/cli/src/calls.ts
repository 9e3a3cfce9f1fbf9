import { loadSyscalls, type Syscalls } from "@xsocket/xbind-native";

/**
 * The calls of libxsocket.so; undefined if it cannot be loaded. For checks that may be left out: under a memory
 * limit Bun may get no memory for compiled code, and `run` is to become the program all the same.
 */
export function callsIfAny(): Syscalls | undefined {
  try {
    return loadSyscalls();
  } catch {
    return undefined;
  }
}
