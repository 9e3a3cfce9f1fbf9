/* Datagrams: see api.ts. */
import { codeOf, doUdp, doUdpTo, outcome, play, settled } from "./api.ts";

const hostname = "127.0.0.1";
const GROUP = "239.1.2.3";

function noting(log: string[]): Bun.udp.SocketHandler<"buffer"> {
  return {
    data: (_, data, port, address) =>
      void log.push(`${data.toString()} from ${address} ${port > 0}`),
    // Bun's types declare only the socket, but the error comes as either argument.
    error: (...given: unknown[]) => void log.push(given.map(codeOf).find(isErrno) ?? "no code"),
  };
}

function isErrno(code: string): boolean {
  return /^E[A-Z]+$/.test(code);
}

function attempt(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return codeOf(error);
  }
}

await play({
  async "there and back"() {
    const log: string[] = [];
    const a = await doUdp({ hostname, socket: noting(log) });
    const b = await doUdp({ hostname, socket: noting(log) });
    const sent = [b.send("one", a.port, hostname)];
    await settled();
    sent.push(a.send("two", b.port, hostname));
    await settled();
    const many = b.sendMany(["3", a.port, hostname, "4", a.port, hostname]);
    await settled();
    for (const socket of [a, b, a]) socket.close();
    return [log, sent, many, a.closed, attempt(() => a.send("x", 1, hostname))];
  },
  async "no peer, and what is none"() {
    const found = [];
    for (const connect of [null, false, 0, ""]) {
      const options: object = { hostname, connect };
      const made = doUdp(options).then((socket) => [socket.address.address, socket.close()]);
      found.push(await outcome(made));
    }
    return found;
  },
  async "what sockets tell"() {
    const told = [];
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as in JavaScript
    const unbound = { port: null as never };
    for (const each of [
      {},
      unbound,
      { hostname },
      { hostname: "::1" },
      { hostname: "localhost" },
    ]) {
      const socket = await doUdp(each);
      const { address, port, binaryType } = socket;
      told.push([address.address, address.family, address.port === port, binaryType]);
      told.push([socket.hostname, socket.closed]);
      socket.close();
    }
    return told;
  },
  async "with a peer"() {
    const log: string[] = [];
    const a = await doUdp({ hostname, socket: noting(log) });
    const b = await doUdpTo({ connect: { hostname, port: a.port }, socket: noting(log) });
    const sent = [b.send("one"), b.sendMany(["two", "three"])];
    await settled();
    a.send("back", b.port, hostname);
    await settled();
    const told = [b.remoteAddress.address, b.remoteAddress.port === a.port];
    for (const socket of [a, b]) socket.close();
    return [log, sent, told];
  },
  async "nobody there"() {
    const logs: [string[], string[]] = [[], []];
    const to = await doUdpTo({ connect: { hostname, port: 9 }, socket: noting(logs[0]) });
    to.send("x");
    const free = await doUdp({ hostname, socket: noting(logs[1]) });
    free.send("x", 9, hostname);
    await settled();
    for (const socket of [to, free]) socket.close();
    return logs.map((log) => Array.from(new Set(log)));
  },
  async multicast() {
    const log: string[] = [];
    const socket = await doUdp({ hostname: "0.0.0.0", socket: noting(log) });
    const told = [
      attempt(() => socket.setMulticastInterface(hostname)),
      attempt(() => socket.addMembership(GROUP, hostname)),
      attempt(() => socket.addMembership("10.0.0.1")),
      attempt(() => socket.setMulticastTTL(3)),
      attempt(() => socket.setBroadcast(true)),
      attempt(() => socket.send("to all", socket.port, GROUP)),
    ];
    await settled();
    told.push(attempt(() => socket.dropMembership(GROUP, hostname)));
    socket.close();
    return [told, log];
  },
  async "what cannot be"() {
    const first = await doUdp({ hostname });
    const facts = doUdp({ hostname: "192.0.2.1" }).catch(({ syscall, address }) => [
      syscall,
      address,
    ]);
    const told = [
      await outcome(doUdp({ hostname, port: first.port })),
      await outcome(doUdp({ hostname: "192.0.2.1" })),
      await facts,
      attempt(() => first.send(Buffer.alloc(70_000), 9, hostname)),
      attempt(() => first.send("x", 9, "255.255.255.255")),
    ];
    first.close();
    return told;
  },
});
