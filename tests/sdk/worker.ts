/* A Worker of session.test.ts: gets sockets over a session of its own and says where they belong. */
import { Session } from "@xsocket/client";
import { netnsCookie } from "../harness/index.ts";

declare const self: Worker;

async function cookies(via: string, count: number): Promise<bigint[]> {
  using session = new Session({ via });
  const sockets = await Promise.all(Array.from({ length: count }, () => session.socket()));
  const found = sockets.map(({ fd }) => netnsCookie(fd));
  for (const socket of sockets) socket.close();
  return [...new Set(found)];
}

self.addEventListener("message", ({ data }: MessageEvent<{ via: string; count: number }>) => {
  void cookies(data.via, data.count).then((found) => self.postMessage(found));
});
