/**
 * Why a message or an address cannot be encoded or decoded. Stable: programs may compare it.
 *
 * - `LENGTH`: a packet that is shorter or longer than its kind of message
 * - `SIGNATURE`: a packet of no kind that this version knows
 * - `RANGE`: a number that does not fit its field
 * - `ADDRESS_EMPTY`: an address without a path or name
 * - `ADDRESS_NUL`: a path with a NUL byte in it
 * - `ADDRESS_TOO_LONG`: an address that does not fit `sun_path` (unix(7)); it is never cut
 */
export type ProtocolErrorCode =
  | "LENGTH"
  | "SIGNATURE"
  | "RANGE"
  | "ADDRESS_EMPTY"
  | "ADDRESS_NUL"
  | "ADDRESS_TOO_LONG";

/** The only error that leaves this package. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  readonly code: ProtocolErrorCode;

  constructor(code: ProtocolErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
