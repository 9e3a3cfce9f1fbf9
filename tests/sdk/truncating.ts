/*
 * A name server for the tests, at 127.0.0.1: over UDP it answers everything with the truncation bit
 * alone; over TCP it tells, in pieces, that every name is 127.0.7.7, nonsense.test with nonsense,
 * and silent.test with nothing. Names that begin with four it tells over UDP, for IPv4 alone.
 * For those with fails it has a failure.
 */
const QUERY_HEAD = 12; // bytes of a DNS header
const ANSWER = Buffer.from("c00c000100010000003c00047f000707", "hex"); // A, IN, 60 s, 127.0.7.7
const TRUNCATED = 0x8380; // the flags: a response, truncated, recursion desired and available
const WHOLE = 0x8180;
const SERVFAIL = 0x8182;

await Bun.udpSocket({
  hostname: "127.0.0.1",
  port: 53,
  socket: {
    data(socket, query, port, address) {
      console.log(`UDP ${query.subarray(QUERY_HEAD).toString("latin1")}`);
      if (query.includes("fails")) {
        query.writeUInt16BE(SERVFAIL, 2);
        return void socket.send(query, port, address);
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
      console.log(`TCP ${data.subarray(QUERY_HEAD + 2).toString("latin1")}`);
      for (const byte of answerTo(Buffer.from(data.subarray(2)))) {
        socket.write(Uint8Array.of(byte));
        await Bun.sleep(1);
      }
    },
  },
});
console.log("ready");
