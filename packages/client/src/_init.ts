/* Reads the options of a request to fetch, and refuses those that do not go through the target namespace. */
import { allOf, misuse, refuseKeys } from "./_options.ts";
import { THROUGH_KEYS } from "./_through.ts";

const REFUSED = {
  proxy: "Leave proxy out: the target namespace is the way already.",
  unix: "UNIX sockets are not those of a network namespace: use fetch.",
  s3: "Use Bun.S3Client, or sign the request yourself.",
  session: "Leave session out: connections are kept for each fetchVia.",
  verbose: "Leave verbose out, and look at the request with tcpdump in the target namespace.",
  compress:
    "Compress the body yourself, for example with Bun.gzipSync, and give a content-encoding header.",
};

/* Bun's fetch finds these also in a Request, where a program or a class of its own has put them. */
const OF_REQUESTS = ["tls", "decompress", "maxRedirects", "keepalive", "protocol"].concat(
  Object.keys(REFUSED),
);

/** An error as fetch's own about an argument. */
export function argumentError(message: string, code: string): TypeError {
  return Object.assign(new TypeError(message), { code });
}

/* Refuses our own options, which fetch would silently ignore. */
function refuseOurs(init: object): void {
  for (const name of THROUGH_KEYS)
    if (name !== "signal" && Reflect.get(init, name) !== undefined)
      throw misuse(
        "fetch",
        `${name} is not an option of a request`,
        "Give it to fetchVia. A whole request is ended by signal.",
      );
}

/** Reads the options of a request. A `Request` says all else itself. @throws {XSocketError} ENOTSUP, EINVAL; TypeError as fetch */
export function initOf(
  request: Request | undefined,
  given: BunFetchRequestInit | null | undefined,
): BunFetchRequestInit {
  const init = allOf(given instanceof Request ? {} : given);
  for (const name of OF_REQUESTS) {
    const found: unknown = Reflect.get(init, name) ?? Reflect.get(request ?? {}, name);
    Reflect.set(init, name, found ?? undefined); // null says nothing, in either of them
  }
  refuseKeys("fetch", init, REFUSED);
  if (init.protocol !== undefined && !["http1.1", "h1"].includes(init.protocol))
    throw misuse(
      "fetch",
      `protocol is ${init.protocol}`,
      "Only HTTP/1.1 goes with via.",
      "ENOTSUP",
    );
  refuseOurs(init);
  const most = init.maxRedirects ?? 0;
  if (!(Number.isInteger(most) && most >= 0))
    throw argumentError("maxRedirects is no whole number from 0", "ERR_INVALID_ARG_TYPE");
  return init;
}
