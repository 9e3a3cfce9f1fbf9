import { expect, test } from "bun:test";
import { hostPort, parseIp, portOf, sockaddr } from "./_address.ts";
import { scopeIndex } from "./_socket.ts";

function hex(text: string, port: number, scope = 0): string {
  const ip = parseIp(text);
  if (!ip) throw new Error(`${text} is no address`);
  return sockaddr(ip, port, scope).toHex();
}

function six(address: string, scope = "00000000"): string {
  return `0a00005000000000${address}${scope}`;
}

test("addresses are encoded as the kernel's sockaddr", () => {
  expect(hex("127.0.0.1", 8080)).toBe("02001f907f0000010000000000000000");
  expect(hex("::", 80)).toBe(six("00".repeat(16)));
  expect(hex("[::1]", 80)).toBe(six(`${"00".repeat(15)}01`));
  expect(hex("fe80::1%3", 80, 3)).toBe(six(`fe80${"00".repeat(13)}01`, "03000000"));
  expect(hex("1:2:3:4:5:6:7:8", 80)).toBe(six("00010002000300040005000600070008"));
  expect(hex("1::", 80)).toBe(six(`0001${"00".repeat(14)}`));
  expect(hex("::ffff:10.0.0.1", 80)).toBe(six(`${"00".repeat(10)}ffff0a000001`));
});

test("host names and malformed addresses are not parsed as addresses", () => {
  for (const text of ["localhost", "", "1.2.3", "1.2.3.4%eth0", "1.2.3.04", "::g", "[::1", "%eth0"])
    expect(parseIp(text), text).toBeUndefined();
  expect(parseIp("fe80::1%eth0")).toEqual({ family: 6, address: "fe80::1", scope: "eth0" });
});

test("hosts and ports are written with brackets around IPv6, and a port is read from a sockaddr", () => {
  expect(hostPort("::1", 80)).toBe("[::1]:80");
  expect(hostPort("[::1]", 80)).toBe("[::1]:80");
  expect(hostPort("10.0.0.1", 80)).toBe("10.0.0.1:80");
  expect(hostPort("http://web", 80)).toBe("http://web:80"); // as given
  expect(portOf(Uint8Array.fromHex("02001f907f0000010000000000000000"))).toBe(8080);
});

test("a zone is kept as given, and an interface index past 31 bits is ENODEV", () => {
  expect(parseIp("fe80::1%odd%name")?.scope).toBe("odd%name");
  expect(scopeIndex(-1, "7")).toBe(7);
  for (const number of ["4294967303", "2147483648"])
    // the first has 33 bits, the low 32 of which are 7
    expect(() => scopeIndex(-1, number)).toThrow("ENODEV");
});
