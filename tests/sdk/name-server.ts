/*
 * A name server for names.test.ts, at 127.0.0.1. Over UDP a word in the name chooses the
 * answer (HABITS), and other names get the truncation bit alone. Over TCP, sent byte by byte, each name has
 * the IPv4 address 127.0.7.7 and no IPv6 address.
 */
const HEADER_BYTES = 12;
const FLAGS_AT = 2;
const ANSWERS_AT = 6; // ANCOUNT, how many there are
const RECURSION_DESIRED = 0x0100;
// flags of a response, recursion desired and available
const WHOLE = 0x8180;
const TRUNCATED = 0x8380;
const SERVFAIL = 0x8182;
const NXDOMAIN = 0x8183;
const REFUSED = 0x8105; // and no recursion available
const A_RECORD = Buffer.from("c00c000100010000003c00047f000707", "hex"); // IN, 60 s, 127.0.7.7
const AAAA_RECORD = Buffer.from(`c00c001c00010000003c0010${"0".repeat(31)}1`, "hex"); // IN, 60 s, ::1
const LATE_MS = 900;
const SOON_MS = 50;
const FLOOD = 50; // messages in a millisecond

type Habit = (query: Buffer, send: (message: Buffer) => void) => void;

/* The ID of the message in which each question was asked first. */
const asked = new Map<string, number>();

/* What to do for a name that contains the word; the first match counts. */
const HABITS: Readonly<Record<string, Habit>> = {
  /* the first message with a question gets no answer, nor does another one with the same ID */
  lost(query, send) {
    const question = query.toString("latin1", FLAGS_AT);
    const number = query.readUInt16BE(0);
    const first = asked.getOrInsert(question, number);
    if (first !== number) send(questionOf(query, TRUNCATED));
  },
  /* there is no answer */
  mute() {},
  /* NXDOMAIN for the A record, and no answer for AAAA */
  gone(query, send) {
    if (isA(query)) send(questionOf(query, NXDOMAIN));
  },
  fails: (query, send) => send(questionOf(query, SERVFAIL)),
  none: (query, send) => send(questionOf(query, NXDOMAIN)),
  /* messages that answer nothing, until the client has gone */
  flood(query, send) {
    const nothing = headerOf(query, WHOLE);
    const flood = setInterval(() => {
      try {
        for (let left = FLOOD; left > 0; left--) send(nothing);
      } catch {
        clearInterval(flood); // the client has gone
      }
    }, 1);
  },
  /* REFUSED in a header without a question, as unbound sends it */
  refused: (query, send) => send(headerOf(query, REFUSED)),
  /* no IPv4 address, and the IPv6 address after a while */
  late(query, send) {
    if (isA(query)) send(questionOf(query, WHOLE));
    else setTimeout(send, LATE_MS, withAnswer(query, AAAA_RECORD));
  },
  /* the IPv4 address, and the IPv6 address soon after it */
  soon(query, send) {
    if (isA(query)) send(answerTo(query));
    else setTimeout(send, SOON_MS, withAnswer(query, AAAA_RECORD));
  },
  /* forged answers before the right one */
  forged(query, send) {
    const right = answerTo(query);
    if (isA(query)) for (const forged of forgeries(right)) send(forged);
    send(right);
  },
  /* the IPv4 address, and no answer for IPv6 */
  four(query, send) {
    if (isA(query)) send(answerTo(query));
  },
};

function isA(query: Buffer): boolean {
  return query.readUInt16BE(query.length - 4) === 1;
}

/* A response without question and answer. */
function headerOf(query: Buffer, flags: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  query.copy(header, 0, 0, FLAGS_AT);
  header.writeUInt16BE(flags, FLAGS_AT);
  return header;
}

/* A response with the question alone. */
function questionOf(query: Buffer, flags: number): Buffer {
  const message = Buffer.from(query);
  message.writeUInt16BE(flags, FLAGS_AT);
  return message;
}

function withAnswer(query: Buffer, record: Buffer): Buffer {
  const message = questionOf(query, WHOLE);
  message.writeUInt16BE(1, ANSWERS_AT);
  return Buffer.concat([message, record]);
}

function answerTo(query: Buffer): Buffer {
  return isA(query) ? withAnswer(query, A_RECORD) : questionOf(query, WHOLE);
}

/* A header alone, a query in place of a response, and answers with a wrong ID and type, each with its own address. */
function forgeries(right: Buffer): Buffer[] {
  const others = [
    [FLAGS_AT, WHOLE ^ 0x8000],
    [0, right.readUInt16BE(0) ^ 1],
    [right.indexOf("\0\x01\0\x01", HEADER_BYTES), 15],
  ].map(([at = 0, value = 0], i) => {
    const forged = Buffer.from(right);
    forged.writeUInt16BE(value, at);
    forged[forged.length - 1] = i + 1;
    return forged;
  });
  return [headerOf(right, WHOLE), ...others];
}

await Bun.udpSocket({
  hostname: "127.0.0.1",
  port: 53,
  socket: {
    error() {}, // the client has gone, perhaps because it has its answer
    data(socket, query, port, address) {
      console.log(`UDP ${query.subarray(HEADER_BYTES).toString("latin1")}`);
      if ((query.readUInt16BE(FLAGS_AT) & RECURSION_DESIRED) === 0) return;
      const send = (message: Buffer): void => void socket.send(message, port, address);
      const word = Object.keys(HABITS).find((one) => query.includes(one));
      const habit = word === undefined ? undefined : HABITS[word];
      if (habit === undefined) send(questionOf(query, TRUNCATED));
      else habit(query, send);
    },
  },
});

Bun.listen({
  hostname: "127.0.0.1",
  port: 53,
  socket: {
    async data(socket, data) {
      if (data.includes("silent")) return;
      if (data.includes("ends")) return void socket.end();
      const query = data.subarray(2); // behind its length
      console.log(`TCP ${query.subarray(HEADER_BYTES).toString("latin1")}`);
      const answer = answerTo(query);
      if (query.includes("nonsense")) answer[HEADER_BYTES + 1] = 0x58; // the name is another one
      const length = Buffer.alloc(2);
      length.writeUInt16BE(answer.length);
      for (const byte of Buffer.concat([length, answer])) {
        socket.write(Uint8Array.of(byte));
        await Bun.sleep(1);
      }
    },
  },
});
console.log("ready");
