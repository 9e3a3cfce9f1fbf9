/* Counts the descriptors around each test of every file: bunfig.toml has Bun load this before them. */
import { afterEach, beforeAll, beforeEach } from "bun:test";
import { descriptors, expectNoLeak } from "./descriptors.ts";

/*
 * Makes Bun open the descriptors that it keeps, so that they are not counted: event loop, process watcher, those
 * of its synchronous calls, and the standard streams, which it opens when a stream is piped.
 */
async function warmUp(): Promise<void> {
  void [process.stdout, process.stderr];
  Bun.spawnSync(["true"]);
  await Bun.spawn(["true"], { stdout: "pipe", stderr: "pipe", stdin: "pipe" }).exited;
  await Bun.sleep(1);
}

let before = new Map<number, string>();
beforeAll(warmUp);
beforeEach(() => {
  before = descriptors();
});
afterEach(() => expectNoLeak(before));
