import { ProtocolError } from "./error.ts";

// Every runtime has it, but this package is compiled without any runtime's types.
declare const TextEncoder: new () => { encode(text: string): Uint8Array };

/** Where a server listens unless it is told otherwise. */
export const DEFAULT_ADDRESS = "/run/xsocket/default";
/** The room for a path with its NUL, or for an abstract name with its leading NUL: unix(7). */
export const SUN_PATH_BYTES = 108;

/** The address of a control socket: a filesystem path, or a name in the abstract namespace. */
export type Address =
  | { readonly kind: "path"; readonly path: string }
  | { readonly kind: "abstract"; readonly name: string };

/**
 * Reads an address as users write it: a path, or `@name`.
 *
 * @throws {ProtocolError} ADDRESS_EMPTY, ADDRESS_NUL, or ADDRESS_TOO_LONG (it is never cut)
 */
export function parseAddress(text: string): Address {
  const abstract = text.startsWith("@");
  if (text.length === (abstract ? 1 : 0))
    throw new ProtocolError(
      "ADDRESS_EMPTY",
      "the address of a control socket is empty",
      "give a path, or @name",
    );
  if (text.includes("\0"))
    throw new ProtocolError(
      "ADDRESS_NUL",
      "the address of a control socket holds a NUL byte",
      "give a path, or @name",
    );
  const bytes = new TextEncoder().encode(text).byteLength + (abstract ? 0 : 1);
  if (bytes > SUN_PATH_BYTES)
    throw new ProtocolError(
      "ADDRESS_TOO_LONG",
      `${text} does not fit a UNIX socket address, taking ${bytes} bytes of ${SUN_PATH_BYTES}`,
      `use a shorter ${abstract ? "name" : "path"}`,
    );
  return abstract ? { kind: "abstract", name: text.slice(1) } : { kind: "path", path: text };
}

/**
 * Whether an address is written as a URL, as other programs take it: as a path it would name something below
 * a directory such as "unix:" or "http:".
 */
export function isUrl(text: string): boolean {
  return /^(?:(?:unix|file):|[a-z][a-z\d+.-]*:\/\/)/i.test(text);
}

/** Writes an address the way {@link parseAddress} reads it. */
export function formatAddress(address: Address): string {
  return address.kind === "abstract" ? `@${address.name}` : address.path;
}

/** The `struct sockaddr_un` of an address, for bind(2) and connect(2) on a little-endian machine. */
export function encodeAddress(address: Address): Uint8Array<ArrayBuffer> {
  const AF_UNIX_LE = [1, 0];
  const text = new TextEncoder().encode(
    address.kind === "abstract" ? `\0${address.name}` : `${address.path}\0`,
  );
  const bytes = new Uint8Array(new ArrayBuffer(AF_UNIX_LE.length + text.byteLength));
  bytes.set(AF_UNIX_LE);
  bytes.set(text, AF_UNIX_LE.length);
  return bytes;
}
