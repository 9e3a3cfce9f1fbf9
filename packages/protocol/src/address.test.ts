import { expect, test } from "bun:test";
import { encodeAddress, formatAddress, isUrl, parseAddress } from "./address.ts";
import { ProtocolError } from "./error.ts";

test("paths and abstract names are told apart and written back", () => {
  expect(parseAddress("/run/x")).toEqual({ kind: "path", path: "/run/x" });
  expect(parseAddress("@x")).toEqual({ kind: "abstract", name: "x" });
  for (const text of ["/run/x", "@x", "./@x"]) expect(formatAddress(parseAddress(text))).toBe(text);
});

test("a path is encoded with a NUL behind it, an abstract name with one before it", () => {
  expect(encodeAddress(parseAddress("/a"))).toEqual(Uint8Array.of(1, 0, 0x2f, 0x61, 0));
  expect(encodeAddress(parseAddress("@a"))).toEqual(Uint8Array.of(1, 0, 0, 0x61));
});

test("an address that does not fit sun_path is refused, not cut", () => {
  const longest = `/${"p".repeat(106)}`;
  expect(encodeAddress(parseAddress(longest)).byteLength).toBe(110);
  expect(() => parseAddress(`${longest}p`)).toThrow("109 bytes of 108: use a shorter path");
  expect(encodeAddress(parseAddress(`@${"n".repeat(107)}`)).byteLength).toBe(110);
  expect(() => parseAddress(`@${"n".repeat(108)}`)).toThrow("use a shorter name");
  expect(() => parseAddress(`/${"é".repeat(54)}`)).toThrow(ProtocolError);
});

test("empty addresses and NUL bytes are refused", () => {
  for (const text of ["", "@", "/a\0b", "@\0"])
    expect(() => parseAddress(text)).toThrow(ProtocolError);
});

test("tells an address that is written as a URL from a path", () => {
  for (const text of ["unix:/a", "UNIX:a", "file:///a", "HTTP://a", "git+ssh://a"])
    expect(isUrl(text)).toBe(true);
  for (const text of ["/unix:a", "./unix:a", "@unix:a", "unix", "a:1", "./http://a", "1a://b"])
    expect(isUrl(text)).toBe(false);
});
