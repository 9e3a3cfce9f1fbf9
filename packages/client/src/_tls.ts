/* What fetch's option tls asks for, as node:https has to be told. */
import type * as https from "node:https";
import { withoutBrackets } from "./_address.ts";
import type { Plan } from "./_request.ts";

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

/* The option tls, with what it inherits; nothing of null or a boolean, which programs in JavaScript give. */
function tlsGiven({ tls }: BunFetchRequestInit): TlsGiven {
  const given = {};
  if (typeof tls === "object")
    for (const name in tls) Reflect.set(given, name, Reflect.get(tls, name));
  return given;
}

type Check = NonNullable<TlsGiven["checkServerIdentity"]>;

/* A check that throws has refused the certificate: node:https would go on with the request. */
function refusing(check: Check): Check {
  return (...args) => {
    try {
      return check(...args);
    } catch (error) {
      return error instanceof Error
        ? error
        : new Error("checkServerIdentity has thrown", { cause: error });
    }
  };
}

/**
 * Bun's own names for what node:https calls otherwise. The certificate has to be that of the URL's
 * host: node:https would check it against a `host` header, which may be somebody else's words.
 */
export function tlsOf({ init, url }: Plan): https.RequestOptions {
  const { serverName, checkServerIdentity: check, ...rest }: TlsGiven = tlsGiven(init);
  const name = serverName === undefined ? rest.servername : serverName;
  const servername = typeof name === "string" ? name : withoutBrackets(url.hostname);
  return { ...rest, servername, ...(check && { checkServerIdentity: refusing(check) }) };
}

/**
 * Whether a connection may be one that was kept: with an option that is not KEYED, or with a value that is
 * no text, one that was kept was checked otherwise.
 */
export function isKeyed({ init }: Plan): boolean {
  return Object.entries(tlsGiven(init)).every(
    ([name, value]) => KEYED.has(name) && (typeof value === "string" || typeof value === "boolean"),
  );
}
