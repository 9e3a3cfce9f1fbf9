import { http, type Program } from "../program.ts";

const udpClient = `
const socket = require("node:dgram").createSocket("udp4");
socket.on("message", (m) => { console.log(m.toString()); process.exit(0); });
socket.send("a page", process.env.PORT, process.env.HOST);
setTimeout(() => process.exit(1), 3000);
`;
const udp = {
  port: 8080,
  kind: "udp",
  client: "$BUN client.js",
  expect: /a page/,
  logsPeerTo: "output",
} as const;

const nodeHttp = `
require("node:http").createServer((q, s) => { console.log(q.socket.remoteAddress); s.end("a page\\n"); }).listen(8080);
`;
const nodeCluster = `
const cluster = require("node:cluster");
if (process.argv[2] === "none") cluster.schedulingPolicy = cluster.SCHED_NONE;
if (cluster.isPrimary) { cluster.fork(); cluster.fork(); process.on("SIGTERM", () => { for (const id in cluster.workers) cluster.workers[id].kill("SIGKILL"); process.exit(0); }); }
else {${nodeHttp}}
`;
const dgram = `
const socket = require("node:dgram").createSocket("udp6");
socket.on("message", (m, peer) => { console.log(peer.address); socket.send(m, peer.port, peer.address); });
socket.bind(8080);
`;

/** JavaScript: Node and Bun, each by its own interfaces. */
export const javascript: readonly Program[] = [
  {
    ...http,
    name: "Node, http",
    packages: ["nodejs"],
    files: { "server.js": nodeHttp },
    run: "exec node server.js",
    logsPeerTo: "output",
    quick: true,
  },
  {
    ...udp,
    name: "Node, dgram",
    packages: ["nodejs"],
    files: { "server.js": dgram, "client.js": udpClient },
    run: "exec node server.js",
  },
  {
    ...http,
    name: "Node, cluster",
    packages: ["nodejs"],
    files: { "server.js": nodeCluster },
    run: "exec node server.js",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Node, cluster, workers that accept by themselves",
    packages: ["nodejs"],
    files: { "server.js": nodeCluster },
    run: "exec node server.js none",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Bun.serve",
    packages: [],
    version: "$BUN --version",
    files: {
      "server.js":
        'Bun.serve({ port: 8080, fetch(q, s) { console.log(s.requestIP(q).address); return new Response("a page\\n"); } });',
    },
    run: "exec $BUN server.js",
    logsPeerTo: "output",
    quick: true,
  },
  {
    ...http,
    name: "Bun.listen",
    packages: [],
    version: "$BUN --version",
    files: {
      "server.js":
        'Bun.listen({ hostname: "::", port: 8080, socket: { data(s) { console.log(s.remoteAddress); s.end("HTTP/1.0 200 OK\\r\\n\\r\\na page\\n"); } } });',
    },
    run: "exec $BUN server.js",
    logsPeerTo: "output",
  },
  {
    ...udp,
    name: "Bun.udpSocket",
    packages: [],
    version: "$BUN --version",
    files: {
      "server.js":
        "await Bun.udpSocket({ port: 8080, socket: { data(s, m, port, address) { console.log(address); s.send(m, port, address); } } });",
      "client.js": udpClient,
    },
    run: "exec $BUN server.js",
  },
  {
    ...http,
    name: "Bun, node:http",
    packages: [],
    version: "$BUN --version",
    files: { "server.js": nodeHttp },
    run: "exec $BUN server.js",
    logsPeerTo: "output",
  },
  {
    ...udp,
    name: "Bun, node:dgram",
    packages: [],
    version: "$BUN --version",
    files: { "server.js": dgram, "client.js": udpClient },
    run: "exec $BUN server.js",
  },
  {
    ...http,
    name: "Node, cluster, workers that bind each with reusePort",
    packages: ["nodejs"],
    files: {
      "server.js": `
const cluster = require("node:cluster");
if (cluster.isPrimary) { cluster.fork(); cluster.fork(); }
else require("node:net").createServer((c) => { console.log(c.remoteAddress); c.end("HTTP/1.0 200 OK\\r\\n\\r\\na page\\n"); })
  .listen({ port: 8080, host: "0.0.0.0", exclusive: true, reusePort: true });
`,
    },
    run: "exec node server.js",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Node, http2 in a worker thread",
    packages: ["nodejs", "nghttp2-client"],
    files: {
      "server.js": `
const { Worker, isMainThread } = require("node:worker_threads");
if (isMainThread) new Worker(__filename);
else require("node:http2").createServer((q, s) => { console.log(q.socket.remoteAddress); s.end("a page\\n"); }).listen(8080);
`,
    },
    run: "exec node server.js",
    client: "nghttp http://$HOST:$PORT/page",
    logsPeerTo: "output",
  },
];
