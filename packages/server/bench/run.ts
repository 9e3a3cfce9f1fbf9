/* The server to be measured: `bun run.ts '{"address":"…","threads":1}'`. It says "ready" and serves. */
import { serve, untilSignal } from "../src/index.ts";

const server = await serve(JSON.parse(process.argv[2] ?? "{}"));
process.stdout.write("ready\n");
await untilSignal(server);
