/* Random and mutated packets with random descriptors, thrown at a running server. */
import { expect, test } from "bun:test";
import { guardDescriptors, startServer } from "../harness/index.ts";
import { askOnce, native, RawClient, REQUEST } from "./raw.ts";

guardDescriptors();

const SECONDS = 20;
const GOOD_EVERY = 1000; // packets
const SEED = process.env["FUZZ_SEED"] ?? String(Date.now());

/** Numbers from a seed, so that a failure can be had again: mulberry32. */
function random(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

type Dice = ReturnType<typeof random>;

/** A request with some bytes changed, or anything at all. */
function packet(dice: Dice): Uint8Array {
  if (dice(2) === 0) {
    const bytes = REQUEST.slice();
    for (let left = dice(3); left > 0; left--) bytes[dice(bytes.length)] = dice(256);
    return bytes;
  }
  const length = dice(20) === 0 ? dice(5000) : dice(40);
  return new Uint8Array(new ArrayBuffer(length)).map(() => dice(256));
}

/** One thing that a client may do. */
function act(client: RawClient, dice: Dice): void {
  const bytes = packet(dice);
  switch (dice(8)) {
    case 0:
      native.sendDescriptors(client.fd, bytes, bytes.byteLength, client.fd, 1 + dice(253));
      return;
    case 1:
      client.endSending();
      return;
    case 2:
      client.reply(0);
      return;
    default:
      client.send(bytes);
  }
}

test(`20 seconds of anything (FUZZ_SEED=${SEED})`, async () => {
  // Clients that send their own descriptor live on in the packet for as long as a reply may take.
  await using server = await startServer({ args: ["--take-reply-ms", "500"] });
  const dice = random(Number(SEED));
  const until = performance.now() + SECONDS * 1000;
  for (let count = 1; performance.now() < until; count++) {
    using client = new RawClient(server.path);
    for (let left = 1 + dice(4); left > 0; left--) act(client, dice);
    if (count % GOOD_EVERY !== 0) continue;
    expect(askOnce(server.path)).toBe(0);
    await Bun.sleep(0);
  }
  expect(askOnce(server.path)).toBe(0);
  expect(server.program.stderr).not.toContain("died");
  expect(server.program.stderr).not.toContain("exception");
  expect(await server.stop()).toBe(0);
}, 60_000);
