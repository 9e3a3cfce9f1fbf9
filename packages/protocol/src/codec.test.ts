import { describe, expect, test } from "bun:test";
import { numbersFrom } from "../../../tests/harness/numbers.ts";
import { vectors } from "../../../tests/harness/vectors.ts";
import { decode, encode, type Message } from "./codec.ts";
import { ProtocolError } from "./error.ts";

/** The error code that a call ends with, or "none". */
function codeOf(call: () => unknown): string {
  try {
    call();
    return "none";
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
}

describe("vectors", () => {
  test.each(["request", "response"] as const)("accepted %ss encode to the same bytes", (kind) => {
    for (const [name, hex] of vectors(`accept-${kind}-`)) {
      const message = decode(Uint8Array.fromHex(hex));
      expect(message.kind, name).toBe(kind);
      expect(encode(message).toHex(), name).toBe(hex);
    }
  });

  test.each(["request", "response"] as const)("rejected %ss do not decode as one", (kind) => {
    for (const [name, hex] of vectors(`reject-${kind}-`)) {
      let found: Message["kind"] | undefined;
      try {
        found = decode(Uint8Array.fromHex(hex)).kind;
      } catch (error) {
        expect(error, name).toBeInstanceOf(ProtocolError);
      }
      expect(found, name).not.toBe(kind);
    }
  });
});

describe("status", () => {
  test("a request is a signature and nothing more", () => {
    const question = encode({ kind: "status-request" });
    expect(question.toHex()).toBe("58533033");
    expect(decode(question)).toEqual({ kind: "status-request" });
    expect(codeOf(() => decode(Uint8Array.fromHex("5853303300")))).toBe("LENGTH");
  });

  test("a packet is decoded at an offset in a buffer, and copied from it", () => {
    const json = new TextEncoder().encode("{}");
    const buffer = new Uint8Array(32);
    const packet = buffer.subarray(5, 5 + 4 + json.byteLength);
    packet.set(encode({ kind: "status-response", json }));
    const message = decode(packet);
    buffer.fill(0);
    expect(message).toEqual({ kind: "status-response", json });
  });

  test("a response carries its JSON unchanged, up to 64 KiB", () => {
    const json = new TextEncoder().encode('{"a":1}');
    const answer = encode({ kind: "status-response", json });
    expect(answer.toHex()).toBe(`58533034${json.toHex()}`);
    expect(decode(answer)).toEqual({ kind: "status-response", json });
    const longest = encode({ kind: "status-response", json: new Uint8Array(65_536) });
    expect(decode(longest).kind).toBe("status-response");
    const long = new Uint8Array(65_537);
    expect(codeOf(() => encode({ kind: "status-response", json: long }))).toBe("RANGE");
    const packet = new Uint8Array(4 + long.byteLength);
    packet.set(answer.subarray(0, 4));
    expect(codeOf(() => decode(packet))).toBe("RANGE");
  });
});

test("the smallest and largest numbers of a field are encoded, and others are refused", () => {
  const request = { kind: "request", domain: 2, type: 1, protocol: 0 } as const;
  for (const value of [2 ** 31 - 1, -(2 ** 31)]) {
    const widest = { kind: "request", domain: value, type: value, protocol: value } as const;
    expect(decode(encode(widest))).toEqual(widest);
  }
  for (const value of [2 ** 31, -(2 ** 31) - 1, 1.5, NaN, Infinity]) {
    expect(codeOf(() => encode({ ...request, domain: value }))).toBe("RANGE");
    expect(codeOf(() => encode({ ...request, type: value }))).toBe("RANGE");
    expect(codeOf(() => encode({ ...request, protocol: value }))).toBe("RANGE");
  }
  for (const error of [-1, 4096, 0.5, NaN])
    expect(codeOf(() => encode({ kind: "response", error }))).toBe("RANGE");
});

test("the error for an unknown kind of packet names its signature", () => {
  expect(() => decode(Uint8Array.fromHex("0a58533031"))).toThrow("found the signature 0x0a585330");
});

test("random bytes raise only ProtocolError, and a good message is decoded afterwards", () => {
  const good = encode({ kind: "request", domain: 10, type: 2, protocol: 17 });
  const dice = numbersFrom(1);
  for (let round = 0; round < 20_000; round++) {
    const bytes = Uint8Array.from({ length: dice(24) }, () => dice(256));
    // the signature of each kind of message, and of one that does not exist
    if (round % 2) bytes.set([0x58, 0x53, 0x30, 0x31 + dice(5)].slice(0, bytes.length));
    codeOf(() => decode(bytes));
    expect(decode(good)).toEqual({ kind: "request", domain: 10, type: 2, protocol: 17 });
  }
});
