/* Turns fetch's `tls` option into options of node:https. */
import type * as https from "node:https";
import { withoutBrackets } from "./_address.ts";
import { allOf } from "./_options.ts";
import type { Plan } from "./_request.ts";
import { namedIn } from "./_server-name.ts";

/** The options by which an agent of node:https tells its connections apart. */
const KEYED = new Set([
  "ca",
  "cert",
  "key",
  "ciphers",
  "servername",
  "serverName",
  "rejectUnauthorized",
]);

interface TlsGiven {
  readonly serverName?: unknown;
  readonly servername?: unknown;
  readonly checkServerIdentity?: https.RequestOptions["checkServerIdentity"];
}

type Check = NonNullable<TlsGiven["checkServerIdentity"]>;

/* The errors by which a caller's own check has refused a certificate. */
const refusals = new WeakSet<Error>();

/** Whether an error is a caller's own, from checkServerIdentity. */
export function isRefusal(error: Error): boolean {
  return refusals.has(error);
}

function outcomeOf(check: Check, args: Parameters<Check>): Error | undefined {
  try {
    return check(...args);
  } catch (error) {
    return error instanceof Error
      ? error
      : new Error("checkServerIdentity has thrown", { cause: error });
  }
}

/* Makes a check that throws refuse the certificate: node:https would go on with the request. */
function refusing(check: Check): Check {
  return (...args) => {
    const refusal = outcomeOf(check, args);
    if (refusal instanceof Error) refusals.add(refusal);
    return refusal;
  };
}

/**
 * Translates Bun's names for options to those of node:https. The certificate has to be that of the URL's
 * host: node:https would check it against a `host` header, which may come from a stranger. The protocol is
 * offered as by fetch: node:https would offer none, and a server may refuse such a client.
 */
export function tlsOf({ init, url }: Plan): https.RequestOptions {
  const given: TlsGiven = allOf(init.tls);
  const { serverName: _, checkServerIdentity: check, ...rest } = given;
  const name = namedIn(given);
  const servername = name && typeof name === "string" ? name : withoutBrackets(url.hostname);
  const own = { servername, ALPNProtocols: ["http/1.1"] };
  return { ...rest, ...own, ...(check && { checkServerIdentity: refusing(check) }) };
}

/**
 * Whether a kept connection may be used. Not with an option that is not in KEYED, or a value that is no string:
 * the agent cannot tell whether a kept one was checked in the same way.
 */
export function isKeyed({ init }: Plan): boolean {
  return Object.entries(allOf(init.tls)).every(
    ([name, value]) => KEYED.has(name) && (typeof value === "string" || typeof value === "boolean"),
  );
}
