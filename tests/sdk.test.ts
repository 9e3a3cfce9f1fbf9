/* A Bun program with the SDK: the same as the preloaded programs do, and `using` closes it. */
import { expect, test } from "bun:test";
import { connect, listen, udp, xsocket } from "@xsocket/client";
import {
  createNamespace,
  descriptors,
  eventually,
  guardDescriptors,
  hasIpv6,
  netnsCookie,
  startServer,
} from "./harness/index.ts";

const PORT = 7000;
const PEER = "127.0.0.9";

guardDescriptors();

test.skipIf(!hasIpv6)("using closes the socket that it got, which is the target's", async () => {
  await using target = await createNamespace();
  await using server = await startServer({ place: target });
  let fd = -1;
  {
    using socket = await xsocket({ via: server.path, family: 6 });
    ({ fd } = socket);
    expect(netnsCookie(fd)).toBe(await target.cookie());
    expect(descriptors().get(fd)).toStartWith("socket:");
  }
  expect(descriptors().get(fd)).toBeUndefined();
});

test("a listener answers in the target namespace, and using closes it", async () => {
  await using target = await createNamespace();
  await using server = await startServer({ place: target });
  {
    let peer = "";
    using listener = await listen({
      via: server.path,
      hostname: "0.0.0.0",
      port: PORT,
      socket: {
        open: (socket) => void (peer = socket.remoteAddress),
        data: (socket, data) => void socket.end(data),
      },
    });
    expect(listener.port).toBe(PORT);
    expect(target.listens("tcp", PORT)).toBe(true);
    const client = ["socat", "-t", "10", "-", `TCP:127.0.0.1:${PORT},bind=${PEER}`];
    expect((await target.run(client, { stdin: "through the SDK\n" })).stdout).toBe(
      "through the SDK\n",
    );
    expect(peer).toBe(PEER);
  }
  await eventually("the port to close", () => !target.listens("tcp", PORT));
});

test("a connection goes out from the target namespace", async () => {
  await using target = await createNamespace();
  await using server = await startServer({ place: target });
  await using echo = target.spawn(["socat", `TCP-LISTEN:${PORT}`, "EXEC:cat"]);
  await eventually("an echo to listen", () => target.listens("tcp", PORT));
  const { promise: answer, resolve } = Promise.withResolvers<string>();
  const options = { via: server.path, hostname: "127.0.0.1", port: PORT };
  const socket = await connect({
    ...options,
    socket: { data: (_, data) => resolve(data.toString()) },
  });
  socket.write("there and back");
  expect(await answer).toBe("there and back");
  socket.end();
  await echo.finished();
});

test("a datagram socket hears in the target namespace", async () => {
  await using target = await createNamespace();
  await using server = await startServer({ place: target });
  const { promise: heard, resolve } = Promise.withResolvers<string>();
  const socket = await udp({
    via: server.path,
    port: PORT,
    socket: { data: (_, data, port, address) => resolve(`${data.toString()} ${address} ${port}`) },
  });
  const client = ["socat", "-u", "-", `UDP:127.0.0.1:${PORT},bind=${PEER}:7001`];
  await target.run(client, { stdin: "a datagram" });
  expect(await heard).toBe(`a datagram ${PEER} 7001`);
  socket.close();
});
