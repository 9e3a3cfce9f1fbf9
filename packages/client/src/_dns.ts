/*
 * How it works: a query goes out from a socket of the target namespace, made for it alone, so that
 * every query has a port of its own, and connected, so that the kernel drops answers of others and
 * reports a name server that is not there. dns-packet makes and reads the messages.
 */
import { checked, EPOLLIN, errno, loadSyscalls, SyscallError, tried } from "@xsocket/xbind-native";
import {
  decode,
  type DecodedPacket,
  encode,
  type Packet,
  RECURSION_DESIRED,
  streamEncode,
} from "dns-packet";
import { parseIp } from "./_address.ts";
import { adoptConnection, notTaken } from "./_bun.ts";
import { Deadline } from "./_deadline.ts";
import { connectTo } from "./_socket.ts";
import { whenReady, within } from "./_wait.ts";
import type { Session } from "./session.ts";

const DNS_PORT = 53;
const ROUNDS = 2; // how often every name server is asked, as resolv.conf's "attempts"
const PACKET_BYTES = 65_535; // the longest DNS message
const LENGTH_BYTES = 2; // in front of each message over TCP

/** The records that hold addresses. */
type AddressRecord = "A" | "AAAA";

/** Where and how long to ask. */
interface DnsRequest {
  readonly session: Session;
  readonly nameservers: readonly string[];
  readonly deadline: Deadline;
}

/** A question to one of the name servers. */
interface Question extends Pick<DnsRequest, "session" | "deadline"> {
  readonly nameserver: string;
  readonly query: Packet;
}

/** The name servers answered, but with an error. */
export class DnsFailure extends Error {
  override readonly name = "DnsFailure";
  /** DNS's name for it, for example SERVFAIL. */
  readonly rcode: string;

  constructor(nameserver: string, rcode: string) {
    super(`the name server ${nameserver} answered ${rcode}`);
    this.rcode = rcode;
  }
}

function queryFor(name: string, type: AddressRecord): Packet {
  const id = crypto.getRandomValues(new Uint16Array(1))[0] ?? 0;
  return { type: "query", id, flags: RECURSION_DESIRED, questions: [{ type, name }] };
}

/* dns-packet's types leave the name of the response code out. */
function rcodeOf(packet: DecodedPacket): string {
  return "rcode" in packet ? String(packet.rcode) : "NOERROR";
}

/* Whether a response code says nothing about the name itself. */
function isFailure(rcode: string): boolean {
  return rcode !== "NOERROR" && rcode !== "NXDOMAIN";
}

/* Whether a packet answers the query. A failure may lack the question, as when unbound refuses a client that it
   does not serve. */
function answers(query: Packet, packet: DecodedPacket): boolean {
  if (packet.type !== "response" || packet.id !== query.id) return false;
  const [asked, echoed] = [query.questions?.[0], packet.questions?.[0]];
  if (echoed === undefined) return isFailure(rcodeOf(packet));
  return echoed.type === asked?.type && echoed.name.toLowerCase() === asked.name.toLowerCase();
}

function decodeAnswer(query: Packet, bytes: Uint8Array): DecodedPacket | undefined {
  const packet = tried(() => decode(Buffer.from(bytes))); // it may be no DNS
  return packet && answers(query, packet) ? packet : undefined;
}

async function connected(
  { session, nameserver, deadline }: Question,
  type: "dgram" | "stream",
): Promise<number> {
  const ip = parseIp(nameserver);
  if (!ip) throw new SyscallError("connect", errno.EINVAL);
  const kind = { family: ip.family, type, nonblocking: true } as const;
  using socket = await session.socket({ ...kind, ...deadline.limits() });
  await connectTo(socket.fd, ip, DNS_PORT, deadline);
  return socket.take();
}

async function askUdp(question: Question): Promise<DecodedPacket> {
  const { query, deadline } = question;
  const native = loadSyscalls();
  const fd = await connected(question, "dgram");
  try {
    const bytes = new Uint8Array(new ArrayBuffer(PACKET_BYTES));
    const message = encode(query);
    checked("send", native.sendPacket(fd, message, message.byteLength, -1));
    do {
      if (!(await whenReady(fd, EPOLLIN, deadline))) break;
      const length = native.receivePacket(fd, bytes, bytes.byteLength);
      if (length === -errno.EAGAIN) continue;
      const packet = decodeAnswer(query, bytes.slice(0, checked("receive", length)));
      if (packet) return packet;
    } while (deadline.leftMs() > 0); // a flood of wrong packets keeps the descriptor ready
    throw new SyscallError("receive", errno.ETIMEDOUT);
  } finally {
    native.close(fd);
  }
}

async function askTcp(question: Question): Promise<DecodedPacket> {
  const { query, deadline } = question;
  const fd = await connected(question, "stream");
  const { promise, resolve, reject } = Promise.withResolvers<DecodedPacket>();
  let received = Buffer.alloc(0);
  const socket = await adoptConnection<undefined>({
    fd,
    socket: {
      open: (opened) => void opened.write(streamEncode(query)),
      data: (_, data) => {
        received = Buffer.concat([received, data]);
        const message = wholeMessage(received);
        if (message === undefined) return;
        const packet = decodeAnswer(query, message);
        if (packet) resolve(packet);
        else reject(new SyscallError("receive", errno.EBADMSG));
      },
      error: (_, error) => reject(error),
      close: () => reject(new SyscallError("receive", errno.ECONNRESET)),
    },
  }).catch(() => {
    loadSyscalls().close(fd);
    throw notTaken();
  });
  try {
    return await within(promise, deadline);
  } finally {
    socket.terminate();
  }
}

function wholeMessage(received: Buffer): Buffer | undefined {
  if (received.length < LENGTH_BYTES) return undefined;
  const end = LENGTH_BYTES + received.readUInt16BE(0);
  return received.length < end ? undefined : received.subarray(LENGTH_BYTES, end);
}

async function ask(question: Question): Promise<string[] | undefined> {
  const { nameserver, query } = question;
  let packet = await askUdp(question);
  if (packet.flag_tc) packet = await askTcp(question);
  const rcode = rcodeOf(packet);
  if (isFailure(rcode)) throw new DnsFailure(nameserver, rcode);
  if (rcode === "NXDOMAIN") return undefined;
  const type = query.questions?.[0]?.type;
  return (packet.answers ?? []).flatMap((answer) =>
    (answer.type === "A" || answer.type === "AAAA") && answer.type === type ? [answer.data] : [],
  );
}

/**
 * Asks the name servers, one after the other, each up to twice, for a name's addresses.
 *
 * @returns undefined if the name does not exist; an empty list if it only has no address of this type
 * @throws the last name server's failure once the deadline is over or all have failed
 */
export async function queryAddresses(
  { session, nameservers, deadline: whole }: DnsRequest,
  name: string,
  type: AddressRecord,
): Promise<string[] | undefined> {
  const tries = Array.from({ length: ROUNDS }, () => nameservers).flat();
  let failure: unknown = new SyscallError("receive", errno.ETIMEDOUT);
  for (const [done, nameserver] of tries.entries()) {
    const timeoutMs = Math.ceil(whole.leftMs() / (tries.length - done));
    if (timeoutMs === 0) break;
    const deadline = new Deadline({ signal: whole.signal, timeoutMs });
    try {
      return await ask({ session, nameserver, query: queryFor(name, type), deadline });
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}
