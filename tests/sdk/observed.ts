import type * as net from "node:net";
import { XSocketError } from "@xsocket/client";
import { loadSyscalls } from "@xsocket/xbind-native";
import { boundPort } from "../../packages/client/src/_socket.ts";

/** Milliseconds for a request among many that take turns, each of which may wait for a processor. */
export const PATIENT_MS = 30_000;

/** The error of a call that has to fail. @throws {Error} when it does not, or fails in another way */
export async function rejection(promise: Promise<unknown>): Promise<XSocketError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof XSocketError) return error;
  throw new Error(`no XSocketError but ${String(error)}`);
}

/** The first line of the stack of a call that has to fail, and that `call` awaits. */
export async function firstFrame(call: () => Promise<unknown>): Promise<string> {
  const { stack } = await rejection(call());
  return /^ +at .*$/m.exec(String(stack))?.[0] ?? "";
}

/** An integer socket option, by the kernel's numbers; 0 if it cannot be read. */
export function optionOf(fd: number, level: number, name: number): number {
  const value = new Int32Array(new ArrayBuffer(4));
  loadSyscalls().getsockopt(fd, level, name, value, 4);
  return value[0] ?? 0;
}

/** The descriptor of one of Bun's sockets, which Bun's types do not declare. */
export function fdOf(socket: object): number {
  return Number(Reflect.get(socket, "fd"));
}

/** Whether a descriptor is a socket bound to this port: boundPort() throws for one that is no socket. */
export function isSocketAt(fd: number, port: number): boolean {
  try {
    return boundPort(fd) === port;
  } catch {
    return false;
  }
}

/** The port that a server of Node's listens on; 0 if it does not. */
export function portOf(server: net.Server): number {
  const address = server.address();
  return typeof address === "object" && address ? address.port : 0;
}
