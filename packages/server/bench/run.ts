/* The server to be measured: `bun run.ts '{"address":"…","threads":1}'`. */
import { serve, untilSignal } from "../src/index.ts";

await untilSignal(serve(JSON.parse(process.argv[2] ?? "{}")));
