/* A program of embedded.test.ts: serves at a path with so few descriptors free, and says how that went. */
import { closeSync, openSync } from "node:fs";
import { serve } from "@xsocket/server";
import { loadSyscalls } from "@xsocket/xbind-native";

loadSyscalls(); // which reads a file

const [, , address = "", free = ""] = process.argv;
const taken: number[] = [];
try {
  for (;;) taken.push(openSync("/dev/null", "r"));
} catch {
  for (let left = Number(free); left > 0; left--) closeSync(taken.pop() ?? -1);
}
try {
  const server = await serve({ address, threads: 1 });
  console.log("serves");
  await server.stop();
} catch (error) {
  console.log(error instanceof Error && "code" in error ? error.code : error);
}
