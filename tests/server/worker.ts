/* A Worker of embedded.test.ts: serves at the path in its data until it gets a message. */
import { once } from "node:events";
import { parentPort, workerData } from "node:worker_threads";
import { serve } from "@xsocket/server";

if (parentPort) {
  try {
    const server = await serve({ address: workerData }); // typed any; the test gives a path
    parentPort.postMessage("serves");
    await once(parentPort, "message");
    await server.stop();
  } catch (error) {
    parentPort.postMessage(String(error));
  }
  parentPort.close();
}
