/* A web server for sdk.ts: Bun.serve, or serve through the control socket that is given. Prints its port. */
import { serve } from "@xsocket/client";

const [, , via] = process.argv;
const options = { hostname: "127.0.0.1", port: 0, fetch: () => new Response("hello") };
const server = via ? await serve({ via, ...options }) : Bun.serve(options);
console.log(server.port);
