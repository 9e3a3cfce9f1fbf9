import type { ArgsDef } from "citty";
import type { Bounds } from "@xsocket/server";
import { wholeNumber } from "./numbers.ts";

/** The options of `xsocket serve` that bound what clients can make it hold. */
export const boundArgs = {
  "max-connections": {
    type: "string",
    description: "Connections at once, of everybody together (default: 20480)",
    valueHint: "NUMBER",
  },
  "max-connections-per-user": {
    type: "string",
    description: "Connections at once of each user (default: 10240)",
    valueHint: "NUMBER",
  },
  "max-in-flight": {
    type: "string",
    description: "Sockets sent and not yet received, of everybody together (default: 8192)",
    valueHint: "NUMBER",
  },
  "max-in-flight-per-user": {
    type: "string",
    description: "Sockets sent and not yet received, of each user (default: 2048)",
    valueHint: "NUMBER",
  },
  "first-request-ms": {
    type: "string",
    description: "How long a new connection may be silent (default: 10000)",
    valueHint: "MILLISECONDS",
  },
  "take-reply-ms": {
    type: "string",
    description: "How long a client may leave a reply unread (default: 10000)",
    valueHint: "MILLISECONDS",
  },
  backlog: {
    type: "string",
    description: "Connections that may wait to be accepted (default: 4096)",
    valueHint: "NUMBER",
  },
} as const satisfies ArgsDef;

type BoundOption = keyof typeof boundArgs;

const NAMES: readonly (readonly [BoundOption, keyof Bounds])[] = [
  ["max-connections", "maxConnections"],
  ["max-connections-per-user", "maxConnectionsPerUid"],
  ["max-in-flight", "maxInFlight"],
  ["max-in-flight-per-user", "maxInFlightPerUid"],
  ["first-request-ms", "firstRequestMs"],
  ["take-reply-ms", "takeReplyMs"],
  ["backlog", "backlog"],
];

/**
 * Reads the bounds that were given.
 *
 * @throws {MisuseError} for one that is not a whole number
 */
export function givenBounds(args: {
  readonly [option in BoundOption]?: string | undefined;
}): Partial<Bounds> {
  return Object.fromEntries(
    NAMES.flatMap(([option, name]) => {
      const text = args[option];
      return text === undefined ? [] : [[name, wholeNumber(`--${option}`, text)]];
    }),
  );
}
