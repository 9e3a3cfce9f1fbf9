/* A program of embedded.test.ts: serves at a path with so few free descriptors, and prints "serves", or
   the error's code and the number of descriptors that are free again. */
import { closeSync, openSync } from "node:fs";
import { serve } from "@xsocket/server";
import { codeOf, loadSyscalls } from "@xsocket/xbind-native";

loadSyscalls(); // which reads a file

const [, , address = "", free = ""] = process.argv;
const taken: number[] = [];
function takeAll(): number {
  const before = taken.length;
  try {
    for (;;) taken.push(openSync("/dev/null", "r"));
  } catch {
    return taken.length - before;
  }
}
takeAll();
for (let left = Number(free); left > 0; left--) closeSync(taken.pop() ?? -1);
try {
  const server = await serve({ address, threads: 1, auditFile: "/dev/null" });
  console.log("serves");
  await server.stop();
} catch (error) {
  console.log(codeOf(error), takeAll());
}
