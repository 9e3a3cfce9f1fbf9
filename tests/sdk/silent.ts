import { xsocketSync } from "@xsocket/client";
import { encode, RESPONSE_BYTES } from "@xsocket/protocol";
import { checked, loadSyscalls, POLLHUP, POLLIN } from "@xsocket/xbind-native";
import { bindTo, boundPort } from "../../packages/client/src/_socket.ts";
import { boundAt, eventually, tempDir } from "../harness/index.ts";

const native = loadSyscalls();

/** A server that does nothing by itself: a test accepts its clients, and answers. Disposing of it removes its directory. */
export class SilentServer implements Disposable {
  readonly #dir = tempDir();
  #ended = false;
  readonly path = this.#dir.join("control");
  readonly #fd = boundAt(this.path);

  /** Listens: at most `backlog` + 1 clients get that far. */
  constructor(backlog = 8) {
    checked("listen", native.listen(this.#fd, backlog));
  }

  /** Whether a client waits to be accepted. */
  isCalled(): boolean {
    return native.poll(this.#fd, POLLIN, 0) > 0;
  }

  /** Waits for the next client. The test closes the connection. */
  async accept(): Promise<number> {
    await eventually("a connection", () => this.isCalled());
    return checked("accept", native.accept(this.#fd));
  }

  /** Ends as one that is killed: its socket file stays. */
  end(): void {
    if (!this.#ended) native.close(this.#fd);
    this.#ended = true;
  }

  [Symbol.dispose](): void {
    this.end();
    this.#dir[Symbol.dispose]();
  }
}

/** Answers a request on a connection: with an error, or with 0 and a socket. */
export function answer(connection: number, error: number, socket = -1): void {
  native.sendPacket(connection, encode({ kind: "response", error }), RESPONSE_BYTES, socket);
}

/** Waits until the client has closed a connection, and closes it, too. */
export async function endOf(connection: number): Promise<void> {
  const hasEnded = (): boolean => (native.poll(connection, 0, 0) & POLLHUP) !== 0;
  await eventually("the connection to be closed", hasEnded);
  native.close(connection);
}

/** A listener of the target at 127.0.0.1 that never accepts: connections past the first get no answer. */
export function deafListener(via: string): Disposable & { readonly port: number } {
  const socket = xsocketSync({ via });
  bindTo(socket.fd, { family: 4, address: "127.0.0.1", scope: undefined }, 0);
  checked("listen", native.listen(socket.fd, 0));
  return { port: boundPort(socket.fd), [Symbol.dispose]: () => socket.close() };
}
