/*
 * A load generator for sdk.ts: sends pipelined requests over some connections to 127.0.0.1 for some
 * seconds, and prints the answers a second. It counts bytes, for it shall be faster than any server.
 */
const [, , port, seconds] = process.argv;
const CONNECTIONS = 32;
const PIPELINED = 8; // requests under way on each connection
const REQUEST = Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
const BATCH = Buffer.concat(Array<Buffer>(PIPELINED).fill(REQUEST));

const one = await fetchOnce();
let bytes = 0;
let over = false;

/* The length of one answer, which all others have as well. */
async function fetchOnce(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port: Number(port),
    socket: { data: (_, data) => resolve(data.length) },
  });
  socket.write(REQUEST);
  return promise.finally(() => socket.end());
}

async function keepAsking(): Promise<Bun.Socket<{ got: number }>> {
  const socket = await Bun.connect<{ got: number }>({
    hostname: "127.0.0.1",
    port: Number(port),
    data: { got: 0 },
    socket: {
      data(self, { length }) {
        bytes += length;
        self.data.got += length;
        if (self.data.got < one * PIPELINED || over) return;
        self.data.got -= one * PIPELINED;
        self.write(BATCH);
      },
    },
  });
  socket.write(BATCH);
  return socket;
}

const sockets = await Promise.all(Array.from({ length: CONNECTIONS }, keepAsking));
await Bun.sleep(200); // warm
bytes = 0;
const start = performance.now();
await Bun.sleep(Number(seconds) * 1000);
console.log(Math.round((bytes / one / (performance.now() - start)) * 1000));
over = true;
for (const socket of sockets) socket.end();
