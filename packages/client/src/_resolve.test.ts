import { expect, test } from "bun:test";
import { candidates, hostsAddresses, localAddresses, parseResolvConf } from "./_resolve.ts";

function ndotsOf(line: string): number {
  return parseResolvConf(line).ndots;
}

test("/etc/hosts is read with its comments, aliases and any case of letters", () => {
  const hosts =
    "# all\n127.0.0.1 localhost me # mine\n::1\tlocalhost\n\nbad name\n10.0.0.1 Web web.test";
  expect(hostsAddresses(hosts, "LOCALHOST")).toEqual(["127.0.0.1", "::1"]);
  expect(hostsAddresses(hosts, "web")).toEqual(["10.0.0.1"]);
  for (const name of ["mine", "name", "127.0.0.1", "", "all"])
    expect(hostsAddresses(hosts, name)).toEqual([]);
});

test("resolv.conf gives name servers, the search list and ndots", () => {
  const conf =
    "; old\nnameserver 10.0.0.53;its own\nnameserver fe80::1%eth0\nnameserver me\nsearch a.test b.test.";
  expect(parseResolvConf(conf)).toEqual({
    nameservers: ["10.0.0.53", "fe80::1%eth0"],
    search: ["a.test", "b.test."],
    ndots: 1,
  });
  expect(parseResolvConf("")).toEqual({ nameservers: ["127.0.0.1"], search: [], ndots: 1 });
  expect(parseResolvConf("search a.test\ndomain b.test").search).toEqual(["b.test"]);
  expect(ndotsOf("options timeout:1 ndots:5 rotate")).toBe(5);
  expect(ndotsOf("options ndots:5\noptions ndots:2")).toBe(2);
  expect(["ndots:99", "ndots:0", "ndots:x"].map((o) => ndotsOf(`options ${o}`))).toEqual([
    15, 0, 1,
  ]);
});

test("a name with fewer dots than ndots is tried first in the search list", () => {
  const [one, two] = [["a.test"], ["a.test", "b.test."]];
  expect(candidates("web", { search: two, ndots: 1 })).toEqual(["web.a.test", "web.b.test", "web"]);
  expect(candidates("web.dev", { search: one, ndots: 1 })).toEqual(["web.dev", "web.dev.a.test"]);
  expect(candidates("web.dev", { search: one, ndots: 5 })).toEqual(["web.dev.a.test", "web.dev"]);
  expect(candidates("web", { search: one, ndots: 0 })).toEqual(["web", "web.a.test"]);
  expect(candidates("web.", { search: one, ndots: 5 })).toEqual(["web"]);
});

test("localhost always has an address of each IP version, and other names only those of the hosts file", () => {
  for (const name of ["localhost", "a.localhost", "LocalHost.", "ｌｏｃａｌｈｏｓｔ"])
    expect(localAddresses("", name)).toEqual(["127.0.0.1", "::1"]);
  for (const name of ["notlocalhost", "localhost.test", "a b.localhost", "10.0.0.1/.localhost"])
    expect(localAddresses("", name)).toEqual([]);
  expect(localAddresses("127.0.0.1 localhost\n127.0.1.1 me", "localhost")).toEqual([
    "127.0.0.1",
    "::1",
  ]);
  expect(localAddresses("::1 localhost", "localhost")).toEqual(["::1", "127.0.0.1"]);
  expect(localAddresses("127.0.1.1 me", "me")).toEqual(["127.0.1.1"]);
});
