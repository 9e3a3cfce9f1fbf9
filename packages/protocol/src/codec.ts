import { ProtocolError } from "./error.ts";

/** The signature of a request, "XS01". */
export const REQUEST_SIGNATURE = 0x58533031;
/** The signature of a response, "XS02". */
export const RESPONSE_SIGNATURE = 0x58533032;
/** The signature of a question for the server's status, "XS03". */
export const STATUS_REQUEST_SIGNATURE = 0x58533033;
/** The signature of the answer to it, "XS04". */
export const STATUS_RESPONSE_SIGNATURE = 0x58533034;
/** The length of a signature, which is the whole of a status request, in bytes. */
export const SIGNATURE_BYTES = 4;
/** The longest status in bytes: it must fit one packet. */
export const STATUS_BYTES_MAX = 65_536;
/** The length of a request in bytes. */
export const REQUEST_BYTES = 16;
/** The length of a response in bytes. */
export const RESPONSE_BYTES = 8;
/** The largest errno number of Linux, and so of a response. */
export const ERRNO_MAX = 4095;

/** Asks for the socket that socket(2) would make with these arguments in the server's namespace. */
export interface Request {
  readonly kind: "request";
  readonly domain: number;
  /** The type, with `SOCK_NONBLOCK` if wished; `SOCK_CLOEXEC` is never sent. */
  readonly type: number;
  readonly protocol: number;
}

/** Answers a request. With error 0 exactly one descriptor is attached (SCM_RIGHTS). */
export interface Response {
  readonly kind: "response";
  /** 0, or a Linux errno number up to {@link ERRNO_MAX}. */
  readonly error: number;
}

/** Asks for the server's status. A server that does not know this message, or refuses it, closes the connection. */
export interface StatusRequest {
  readonly kind: "status-request";
}

/** The server's status. No descriptor is attached. */
export interface StatusResponse {
  readonly kind: "status-response";
  /** A JSON object in UTF-8, up to {@link STATUS_BYTES_MAX} bytes. */
  readonly json: Uint8Array;
}

/** Every message, told apart by `kind`. Version 1 has only the request and the response. */
export type Message = Request | Response | StatusRequest | StatusResponse;

function int32(field: string, value: number): number {
  if (!Number.isInteger(value) || value < -0x80000000 || value > 0x7fffffff)
    throw new ProtocolError(
      "RANGE",
      `${field} must be a 32-bit signed integer, and ${value} is not`,
    );
  return value;
}

function status(json: Uint8Array): Uint8Array {
  if (json.byteLength > STATUS_BYTES_MAX)
    throw new ProtocolError(
      "RANGE",
      `a status has at most ${STATUS_BYTES_MAX} bytes, and this one has ${json.byteLength}`,
    );
  return json;
}

function errno(value: number): number {
  if (!Number.isInteger(value) || value < 0 || value > ERRNO_MAX)
    throw new ProtocolError(
      "RANGE",
      `error must be 0 or an errno number up to ${ERRNO_MAX}, and ${value} is not`,
    );
  return value;
}

/* On a fresh ArrayBuffer for each message: bytes on it stay where they are while native code reads them. */
function packet(signature: number, length: number): DataView<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(length));
  view.setUint32(0, signature);
  return view;
}

/**
 * Makes the bytes of a message, one packet.
 *
 * @throws {ProtocolError} RANGE for a number that does not fit its field, or a status that is too long
 */
export function encode(message: Message): Uint8Array<ArrayBuffer> {
  switch (message.kind) {
    case "request": {
      const view = packet(REQUEST_SIGNATURE, REQUEST_BYTES);
      view.setInt32(4, int32("domain", message.domain));
      view.setInt32(8, int32("type", message.type));
      view.setInt32(12, int32("protocol", message.protocol));
      return new Uint8Array(view.buffer);
    }
    case "response": {
      const view = packet(RESPONSE_SIGNATURE, RESPONSE_BYTES);
      view.setUint32(4, errno(message.error));
      return new Uint8Array(view.buffer);
    }
    case "status-request":
      return new Uint8Array(packet(STATUS_REQUEST_SIGNATURE, SIGNATURE_BYTES).buffer);
    case "status-response": {
      const length = SIGNATURE_BYTES + status(message.json).byteLength;
      const bytes = new Uint8Array(packet(STATUS_RESPONSE_SIGNATURE, length).buffer);
      bytes.set(message.json, SIGNATURE_BYTES);
      return bytes;
    }
  }
}

function expectLength(bytes: Uint8Array, expected: number): void {
  if (bytes.byteLength !== expected)
    throw new ProtocolError(
      "LENGTH",
      `expected a packet of ${expected} bytes, found ${bytes.byteLength}`,
    );
}

/**
 * Reads one packet.
 *
 * @throws {ProtocolError} LENGTH; SIGNATURE; RANGE for an error above {@link ERRNO_MAX}, or a status that is too long
 */
export function decode(bytes: Uint8Array): Message {
  if (bytes.byteLength < SIGNATURE_BYTES)
    throw new ProtocolError(
      "LENGTH",
      `expected a signature of 4 bytes, found ${bytes.byteLength} bytes`,
    );
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const signature = view.getUint32(0);
  switch (signature) {
    case REQUEST_SIGNATURE:
      expectLength(bytes, REQUEST_BYTES);
      return {
        kind: "request",
        domain: view.getInt32(4),
        type: view.getInt32(8),
        protocol: view.getInt32(12),
      };
    case RESPONSE_SIGNATURE:
      expectLength(bytes, RESPONSE_BYTES);
      return { kind: "response", error: errno(view.getUint32(4)) };
    case STATUS_REQUEST_SIGNATURE:
      expectLength(bytes, SIGNATURE_BYTES);
      return { kind: "status-request" };
    case STATUS_RESPONSE_SIGNATURE:
      return { kind: "status-response", json: status(bytes.slice(SIGNATURE_BYTES)) };
    default:
      throw new ProtocolError(
        "SIGNATURE",
        `expected a message of this protocol, found the signature 0x${signature.toString(16).padStart(8, "0")}`,
      );
  }
}
