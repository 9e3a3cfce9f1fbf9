/* A server by its library: the command starts Bun itself, which under the emulator it cannot. */
import { serve, untilSignal } from "@xsocket/server";

await untilSignal(serve({ address: process.argv[2] ?? "" }));
