/* Listens in the namespace of the given server, and echoes. */
import { listen } from "@xsocket/client";

await listen({
  via: process.argv[2] ?? "",
  hostname: "0.0.0.0",
  port: Number(process.argv[3]),
  socket: { data: (socket, bytes) => void socket.end(bytes) },
});
