/* A program of relay.test.ts: serves in a worker of node:cluster until its input ends. */
import cluster from "node:cluster";
import { serve } from "@xsocket/client";

function fetch(): Response {
  return new Response("of a worker");
}

if (cluster.isPrimary) {
  const worker = cluster.fork();
  worker.on("exit", (code) => process.exit(code ?? 0));
  for await (const _ of process.stdin);
  worker.process.kill();
} else {
  const [, , via = ""] = process.argv;
  const { port } = await serve({ via, hostname: "127.0.0.1", port: 0, backlog: 7, fetch });
  console.log(`port ${port}`);
}
