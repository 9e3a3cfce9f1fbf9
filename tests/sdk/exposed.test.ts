import { expect, test } from "bun:test";
import { createServer } from "node:http";
import { connect, fetchVia, listen, nodeListen, serve, Session, udp } from "@xsocket/client";
import { descriptors, hasIpv6, here, startServer } from "../harness/index.ts";
import { isListening, netTable, TCP_LISTEN } from "../harness/place.ts";

/* Sockets of this process in its own namespace that other processes could connect or send to. */
function openToOthers(): string[] {
  const mine = new Set(descriptors().values());
  const internet = ["tcp", "tcp6", "udp", "udp6"].flatMap((table) =>
    netTable("/proc/self", table)
      .filter(([, , , state]) => table.startsWith("udp") || state === TCP_LISTEN)
      .map(([, local, , , , , , , , inode]) => ({ what: `${table} ${local}`, inode })),
  );
  const unix = netTable("/proc/self", "unix")
    .filter(([, , , flags]) => isListening(flags))
    .map(([, , , , , , inode, name]) => ({ what: `unix ${name}`, inode }));
  return [...internet, ...unix]
    .filter(({ inode }) => mine.has(`socket:[${inode}]`))
    .map(({ what }) => what);
}

test.skipIf(!hasIpv6)(
  "no function of the SDK opens a socket in the own namespace that others can connect or send to",
  async () => {
    await using server = await startServer({ place: "own" });
    using session = new Session({ via: server.path });
    const before = openToOthers();
    const socket = { data() {} };
    const listener = await listen({ via: session, port: 0, socket });
    const web = await serve({ via: session, port: 0, fetch: () => new Response("a page") });
    const node = createServer();
    await nodeListen(node, { via: session });
    const datagrams = await udp({ via: session });
    const connected = await connect({ via: session, host: "::1", port: listener.port, socket });
    using there = fetchVia(session);
    expect(await (await there(`http://127.0.0.1:${web.port}/`)).text()).toBe("a page");
    expect(openToOthers()).toEqual(before);
    const seen = Bun.listen({ hostname: "127.0.0.1", port: 0, socket }); // proves that openToOthers() sees one
    expect(openToOthers()).toHaveLength(before.length + 1);
    connected.terminate();
    datagrams.close();
    for (const each of [listener, seen]) each.stop(true);
    await web.stop(true);
    await new Promise((resolve) => node.close(resolve));
  },
);

test("a process at its limit of descriptors gets EMFILE, and sockets again once it has closed some", async () => {
  await using server = await startServer();
  const script = `
    import { Session, xsocket, xsocketSync } from "@xsocket/client";
    const via = process.argv[2] ?? "";
    const held = [];
    using session = new Session({ via });
    held.push(await session.socket(), await xsocket({ via }));
    const codes = new Set();
    const forms = [() => session.socket(), () => xsocket({ via }), () => xsocketSync({ via })];
    for (const form of forms)
      for (;;)
        try { held.push(await form()); } catch ({ code }) { codes.add(code); break; }
    for (const socket of held) socket.close();
    for (const form of forms) (await form()).close();
    console.log([...codes].join(), held.length > 50);`;
  const argv = ["prlimit", "--nofile=100", process.execPath, "run", "-", server.path];
  const { stdout, stderr } = await here.run(argv, { stdin: script, cwd: `${import.meta.dir}/..` });
  expect(stdout + stderr).toBe("EMFILE true\n");
});
