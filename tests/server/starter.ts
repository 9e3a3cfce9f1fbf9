/*
 * Starts servers again and again: for each line of its input, a path, it serves there and
 * prints "won" or the error; for an empty line it stops and prints "stopped".
 */
import { serve, type Server } from "@xsocket/server";

let server: Server | undefined;

async function obey(path: string): Promise<string> {
  if (path === "") {
    await server?.stop();
    server = undefined;
    return "stopped";
  }
  try {
    server = await serve({ address: path, threads: 1 });
    return "won";
  } catch (error) {
    return String(error);
  }
}

for await (const line of console) console.log(await obey(line));
