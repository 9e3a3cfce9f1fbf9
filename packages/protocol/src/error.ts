/**
 * Why a message or an address cannot be encoded or decoded. Stable: programs may compare it.
 *
 * - `LENGTH`: a packet that is shorter or longer than its kind of message
 * - `SIGNATURE`: a packet whose signature this version does not know
 * - `RANGE`: a number that does not fit its field, or a status that is too long
 * - `ADDRESS_EMPTY`: an address without a path or name
 * - `ADDRESS_NUL`: an address with a NUL byte in it
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
  /** The message without its remedy. */
  readonly found: string;
  /** What to do, for example "give a path". Only errors about addresses have one. */
  readonly remedy: string | undefined;

  constructor(code: ProtocolErrorCode, found: string, remedy?: string) {
    super(remedy === undefined ? found : `${found}: ${remedy}`);
    this.code = code;
    this.found = found;
    this.remedy = remedy;
  }
}
