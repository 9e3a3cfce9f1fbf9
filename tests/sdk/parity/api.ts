/*
 * What the programs of parity.test.ts use: Bun's own functions, or ours if the program is started with a
 * control socket. Each scenario notes what happened, and both ways must print the same.
 */
import { connect, fetchVia, listen, udp } from "@xsocket/client";

const [, , via] = process.argv;
const timeoutMs = 30_000; // a connection may take as long as Bun's own on a busy machine

interface Listen extends Omit<Bun.TCPSocketListenOptions, "hostname"> {
  readonly hostname?: string;
}
interface Connect extends Omit<Bun.TCPSocketConnectOptions, "hostname"> {
  readonly hostname?: string;
}

const hostname = "127.0.0.1";

/** Bun.listen, or listen through the server; at 127.0.0.1 unless told otherwise. */
export async function doListen(options: Listen): Promise<Bun.TCPSocketListener> {
  return via
    ? listen({ via, hostname, timeoutMs, ...options })
    : Bun.listen({ hostname, ...options });
}

/** Bun.connect, or connect through the server: its own promise, which may count as handled. */
export function startConnect(options: Connect): Promise<Bun.Socket> {
  return via
    ? connect({ via, hostname, timeoutMs, ...options })
    : Bun.connect({ hostname, ...options });
}

/** The same as {@link startConnect}, but what it throws rejects the promise. */
export async function doConnect(options: Connect): Promise<Bun.Socket> {
  return startConnect(options);
}

/** Bun.udpSocket, or udp through the server. */
export async function doUdp(options: Bun.udp.SocketOptions<"buffer">) {
  return via ? udp({ via, timeoutMs, ...options }) : Bun.udpSocket(options);
}

/** Bun.udpSocket with a peer, or udp through the server. */
export async function doUdpTo(
  options: Bun.udp.ConnectSocketOptions<"buffer">,
): Promise<Bun.udp.ConnectedSocket<"buffer">> {
  const { connect: peer, ...rest } = options; // written out, since Bun's types look at the literal
  return via ? udp({ via, timeoutMs, ...options }) : Bun.udpSocket({ ...rest, connect: peer });
}

/** fetch, or fetchVia's. */
export const doFetch: typeof fetch = via ? fetchVia(via, { timeoutMs }) : fetch;

/** Handlers that note what they are called with. */
export function noting(log: string[], who: string): Bun.SocketHandler<undefined> {
  return {
    open: () => void log.push(`${who} open`),
    data: (_, data) => void log.push(`${who} data ${data.toString()}`),
    end: () => void log.push(`${who} end`),
    close: (_, error) => void log.push(`${who} close ${error === undefined}`),
    error: (_, error) => void log.push(`${who} error ${error.message}`),
    timeout: () => void log.push(`${who} timeout`),
    connectError: (_, error) => void log.push(`${who} connectError ${codeOf(error)}`),
  };
}

/** The code of an error, or its name if it has none. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error || error instanceof DOMException)) return String(error);
  const code: unknown = Reflect.get(error, "code");
  return typeof code === "string" ? code : error.name;
}

/** The value of a promise, or the code of its error. */
export async function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.catch(codeOf);
}

/**
 * Waits until the other side has noticed. Ten turns of the event loop, not one long sleep: a program that is kept
 * from running may see the end of its sleep before the events that came meanwhile.
 */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Bun.sleep(10);
}

/** Runs the scenarios one after the other and prints a line for each. */
export async function play(scenarios: Record<string, () => Promise<unknown>>): Promise<never> {
  for (const [name, scenario] of Object.entries(scenarios))
    console.log(`${name}: ${JSON.stringify(await outcome(scenario()))}`);
  process.exit(0);
}
