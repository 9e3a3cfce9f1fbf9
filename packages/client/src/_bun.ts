/*
 * The interfaces of Bun that adopt a descriptor although Bun's types do not say so. Everything of
 * this package that leans on undocumented behaviour of Bun goes through this file.
 */
import type { FdSocketOptions, Socket } from "bun";

/** Bun.connect for a connected stream socket, or for an epoll descriptor (see _wait.ts). */
export function adoptConnection<Data>(options: FdSocketOptions<Data>): Promise<Socket<Data>> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see the head of this file
  const connect = Bun.connect as unknown as (o: FdSocketOptions<Data>) => Promise<Socket<Data>>;
  return connect(options);
}
