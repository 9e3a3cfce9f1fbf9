/* One client, two servers: a socket in each of two target namespaces at once. */
import { expect, test } from "bun:test";
import { xsocket } from "@xsocket/client";
import { createNamespace, hasIpv6, netnsCookie, startServer } from "./harness/index.ts";

test("one client holds a socket in each of two namespaces", async () => {
  await using one = await createNamespace();
  await using two = await createNamespace();
  await using first = await startServer({ place: one });
  await using second = await startServer({ place: two });
  using inOne = await xsocket({ via: first.path });
  using inTwo = await xsocket({ via: second.path, type: "dgram", family: hasIpv6 ? 6 : 4 });
  expect(netnsCookie(inOne.fd)).toBe(await one.cookie());
  expect(netnsCookie(inTwo.fd)).toBe(await two.cookie());
});
