/* Clients for the web servers of these tests. */
import type { Namespace } from "../harness/index.ts";

/** What curl prints in a namespace, or how it failed. */
export async function curl(place: Namespace, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await place.run(["curl", "-sS", "-m", "10", ...args]);
  return code === 0 ? stdout : `exit ${code}: ${stderr}`;
}

/** A WebSocket client, a script for Bun, that says hello and prints two messages. */
export const WS = `
  const socket = new WebSocket(process.argv[1], { tls: { rejectUnauthorized: false } });
  const seen = [];
  socket.onopen = () => setTimeout(() => socket.send("hello"), 1500); // longer than idleTimeout, which is for HTTP
  socket.onmessage = ({ data }) => { seen.push(data); if (seen.length === 2) socket.close(); };
  socket.onclose = () => console.log(seen.join());
  socket.onerror = ({ message }) => console.log(message);`;
