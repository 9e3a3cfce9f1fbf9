/*
 * A name server for the tests, at 127.0.0.1: over UDP it answers everything with the truncation bit
 * alone; over TCP it tells, in pieces, that every name is 127.0.7.7, nonsense.test with nonsense,
 * and silent.test with nothing. Names with four in them it tells over UDP, for IPv4 alone; of those
 * with late it tells an IPv6 address, after a while, and that there is no other one. Those with none
 * do not exist, and those with gone neither, but it says so for IPv4 alone; for those with fails it
 * has a failure, those with refused it refuses by a header alone, as unbound does, to those with
 * forged four answers come that are none before the right one, and to those with flood nothing but
 * such, for as long as it runs.
 */
const QUERY_HEAD = 12; // bytes of a DNS header
const ANSWER = Buffer.from("c00c000100010000003c00047f000707", "hex"); // A, IN, 60 s, 127.0.7.7
const TRUNCATED = 0x8380; // the flags: a response, truncated, recursion desired and available
const WHOLE = 0x8180;
const SERVFAIL = 0x8182;
const NXDOMAIN = 0x8183;
const REFUSED = 0x8105;
const IPV6_ANSWER = Buffer.from(`c00c001c00010000003c0010${"0".repeat(31)}1`, "hex"); // AAAA, IN, 60 s, ::1
const DESIRED = 0x0100;
const asked = new Set<string>();
const LATE_MS = 900;

await Bun.udpSocket({
  hostname: "127.0.0.1",
  port: 53,
  socket: {
    error() {}, // who asked has gone, as one does who has what it wants
    data(socket, query, port, address) {
      console.log(`UDP ${query.subarray(QUERY_HEAD).toString("latin1")}`);
      const isLost =
        query.includes("lost") && asked.size < asked.add(query.toString("latin1", 2)).size;
      if (isLost || query.includes("mute") || (query.readUInt16BE(2) & DESIRED) === 0) return;
      const answer = (bytes: Buffer): void => void socket.send(bytes, port, address);
      if (query.includes("gone") && !isA(query)) return;
      for (const [name, flags] of [
        ["gone", NXDOMAIN],
        ["fails", SERVFAIL],
        ["none", NXDOMAIN],
      ] as const) {
        if (!query.includes(name)) continue;
        query.writeUInt16BE(flags, 2);
        return answer(query);
      }
      if (query.includes("flood")) {
        const none = headOf(query, WHOLE);
        const flood = setInterval(() => {
          try {
            for (let left = 50; left > 0; left--) answer(none);
          } catch {
            clearInterval(flood); // the same
          }
        }, 1);
        return;
      }
      if (query.includes("refused")) return answer(headOf(query, REFUSED));
      if (query.includes("late")) {
        query.writeUInt16BE(WHOLE, 2);
        if (isA(query)) return answer(query);
        query.writeUInt16BE(1, 6);
        return void setTimeout(answer, LATE_MS, Buffer.concat([query, IPV6_ANSWER]));
      }
      if (query.includes("forged")) {
        const right = answerTo(query).subarray(2);
        if (isA(query)) for (const forged of forgeries(right)) answer(forged);
        return answer(right);
      }
      if (query.includes("four")) {
        if (isA(query)) socket.send(answerTo(query).subarray(2), port, address);
        return;
      }
      query.writeUInt16BE(TRUNCATED, 2);
      socket.send(query, port, address);
    },
  },
});

function isA(query: Buffer): boolean {
  return query.readUInt16BE(query.length - 4) === 1;
}

/* A packet that has no question and no answer. */
function headOf(query: Buffer, flags: number): Buffer {
  const head = Buffer.alloc(QUERY_HEAD);
  query.copy(head, 0, 0, 2);
  head.writeUInt16BE(flags, 2);
  return head;
}

/* A question, nothing at all, and answers to another packet and another kind of question, all with an address of their own. */
function forgeries(right: Buffer): Buffer[] {
  const others = [
    [2, WHOLE ^ 0x8000],
    [0, right.readUInt16BE(0) ^ 1],
    [right.indexOf("\0\x01\0\x01", QUERY_HEAD), 15],
  ].map(([at = 0, value = 0], i) => {
    const forged = Buffer.from(right);
    forged.writeUInt16BE(value, at);
    forged[forged.length - 1] = i + 1;
    return forged;
  });
  return [headOf(right, WHOLE), ...others];
}

function answerTo(query: Buffer): Buffer {
  const whole = isA(query);
  query.writeUInt16BE(WHOLE, 2);
  query.writeUInt16BE(whole ? 1 : 0, 6);
  if (query.includes("nonsense")) query[QUERY_HEAD + 1] = 0x58;
  const message = whole ? Buffer.concat([query, ANSWER]) : query;
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

Bun.listen({
  hostname: "127.0.0.1",
  port: 53,
  socket: {
    async data(socket, data) {
      if (data.includes("silent")) return;
      if (data.includes("ends")) return void socket.end();
      console.log(`TCP ${data.subarray(QUERY_HEAD + 2).toString("latin1")}`);
      for (const byte of answerTo(Buffer.from(data.subarray(2)))) {
        socket.write(Uint8Array.of(byte));
        await Bun.sleep(1);
      }
    },
  },
});
console.log("ready");
